import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crashesSchema, crashLimits, noteCrash, type Crashes } from './crashes.ts'

const digest = (letter: string): string => letter.repeat(64)
const hour = 3_600_000

const note = (times: readonly (readonly [string, number])[]) => {
  let crashes: Crashes = []
  return times.map(([letter, at]) => {
    const noted = noteCrash(crashes, digest(letter), at)
    crashes = noted.crashes
    return noted.isCondemned
  })
}

describe('the crash book', () => {
  test('condemns with the third crash of one digest, not of several', () => {
    expect(
      note([
        ['a', 0],
        ['b', 1],
        ['a', 2],
        ['b', 3],
        ['c', 4],
      ]),
    ).not.toContain(true)
    expect(
      note([
        ['a', 0],
        ['b', 1],
        ['a', 2],
        ['a', 3],
      ]),
    ).toEqual([false, false, false, true])
  })

  test('slow crashes count: once a night is enough, once a week is not', () => {
    expect(
      note([
        ['a', 0],
        ['a', 24 * hour],
        ['a', 48 * hour],
      ]).at(-1),
    ).toBe(true)
    expect(
      note([
        ['a', 0],
        ['a', 168 * hour],
        ['a', 336 * hour],
        ['a', 504 * hour],
      ]),
    ).not.toContain(true)
  })

  test('a clock that was set back hides no crash, and none counts for ever', () => {
    const year = 365 * 24 * hour
    const crashesAt = (...times: readonly number[]) => note(times.map((at) => ['a', at] as const))
    expect(crashesAt(year, year + 1, 5).at(-1)).toBe(true)
    expect(crashesAt(year, 5, 5 + 60 * hour, 5 + 61 * hour)).not.toContain(true)
  })

  test('stays within its bounds, and what it writes it can read', () => {
    const event = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 0, max: 400 * hour }))
    fc.assert(
      fc.property(fc.array(event, { maxLength: 400 }), (events) => {
        let crashes: Crashes = []
        for (const [letter, at] of events) {
          const noted = noteCrash(crashes, digest(letter), at)
          crashes = noted.crashes
          expect(noted.count).toBeGreaterThan(0)
          expect(crashes.at(-1)).toEqual({ sha256: digest(letter), at })
        }
        expect(crashes.length).toBeLessThanOrEqual(crashLimits.rememberedMax)
        expect(crashesSchema.parse(crashes)).toEqual(crashes)
      }),
      { seed: 5, numRuns: 50 },
    )
  })
})
