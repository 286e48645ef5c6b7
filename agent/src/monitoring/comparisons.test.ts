import { describe, expect, test } from 'vitest'
import { limits } from '@imlma/protocol/limits'
import { comparisonSchema } from '@imlma/protocol/wire'
import type { PairedForecasts } from '../serving/shadow-runner.ts'
import { createComparisons } from './comparisons.ts'

const hour = 3_600_000
const day = 24 * hour
const sha256 = 'a'.repeat(64)

/** One step ahead at `origin`, for the meters in the order of the values. */
const pair = (
  origin: number,
  champion: readonly number[],
  challenger: readonly number[],
  changes: Partial<PairedForecasts> = {},
): PairedForecasts => ({
  model: 'load',
  champion: 3,
  challenger: { model: 'load', version: 4, sha256 },
  intervalMs: hour,
  origin,
  meters: champion.map((_, i) => `m${i + 1}`),
  steps: [1],
  championValues: Float32Array.from(champion),
  challengerValues: Float32Array.from(challenger),
  ...changes,
})
/** m1 always reads 10, m2 20, others nothing. */
const read = (meter: string): number => ({ m1: 10, m2: 20 })[meter] ?? Number.NaN

describe('a comparison', () => {
  test('is sums over the same pairs, by hand', () => {
    const comparisons = createComparisons()
    // Errors of the champion 2 and −1, of the challenger 1 and 4; the third meter has no actual.
    comparisons.expect(pair(0, [12, 19, 1], [11, 24, 2]))
    comparisons.close('load', hour, read)
    expect(comparisons.take()).toEqual([
      {
        model: 'load',
        champion: 3,
        challenger: 4,
        challengerSha256: sha256,
        days: [
          {
            day: 0,
            count: 2,
            failures: 0,
            champion: { squared: 5, absolute: 3 },
            challenger: { squared: 17, absolute: 5 },
            actual: { sum: 30, squared: 500 },
          },
        ],
      },
    ])
  })

  test('counts a challenger without a number as a failure, and a champion without one not at all', () => {
    const comparisons = createComparisons()
    comparisons.expect(pair(0, [10, 21], [Number.NaN, 20]))
    comparisons.expect(pair(0, [10, Number.NaN], [Number.POSITIVE_INFINITY, 20]))
    comparisons.close('load', hour, read)
    expect(comparisons.take()[0]?.days).toEqual([
      {
        day: 0,
        count: 1,
        failures: 2,
        champion: { squared: 1, absolute: 1 },
        challenger: { squared: 0, absolute: 0 },
        actual: { sum: 20, squared: 400 },
      },
    ])
  })

  test('waits for the target time of each step, and falls on its day', () => {
    const comparisons = createComparisons()
    const origin = day - hour
    // Steps 1 and 3: the last hour of the first day, the second of the next one.
    comparisons.expect(
      pair(origin, [10], [10], {
        steps: [1, 3],
        championValues: Float32Array.of(11, 12),
        challengerValues: Float32Array.of(10, 13),
      }),
    )
    comparisons.close('load', origin, read)
    expect(comparisons.take()).toEqual([])
    comparisons.close('load', origin + hour, read)
    expect(comparisons.take()[0]?.days).toMatchObject([
      { day: 0, count: 1, champion: { squared: 1 }, challenger: { squared: 0 } },
    ])
    expect(comparisons.waiting()).toBe(1)
    comparisons.close('load', origin + 3 * hour, read)
    expect(comparisons.take()[0]?.days).toMatchObject([
      { day, count: 1, champion: { squared: 4 }, challenger: { squared: 9 } },
    ])
    expect(comparisons.waiting()).toBe(0)
  })

  test('is of one model, one champion and one challenger', () => {
    const comparisons = createComparisons()
    const other = { model: 'load', version: 5, sha256: 'b'.repeat(64) }
    comparisons.expect(pair(0, [10], [10]))
    comparisons.expect(pair(0, [10], [10], { champion: 4 }))
    comparisons.expect(pair(0, [10], [10], { challenger: other }))
    comparisons.expect(pair(0, [10], [10], { model: 'heat' }))
    comparisons.close('load', hour, read)
    expect(comparisons.take().map(({ champion, challenger }) => [champion, challenger])).toEqual([
      [3, 4],
      [4, 4],
      [3, 5],
    ])
    expect(comparisons.waiting()).toBe(1)
  })

  test('begins anew with every report: the coordinator adds up', () => {
    const comparisons = createComparisons()
    for (const origin of [0, hour]) {
      comparisons.expect(pair(origin, [11], [12]))
      comparisons.close('load', origin + hour, read)
      expect(comparisons.take()[0]?.days[0]).toMatchObject({ count: 1, challenger: { squared: 4 } })
    }
    expect(comparisons.take()).toEqual([])
  })

  test('after days without a report gives the oldest first, as many as one report carries', () => {
    const comparisons = createComparisons()
    for (let at = 0; at < 10; at += 1) {
      comparisons.expect(pair(at * day, [11], [12]))
      comparisons.close('load', at * day + hour, read)
    }
    const first = comparisons.take()[0]
    expect(comparisonSchema.safeParse(first).success).toBe(true)
    expect(first?.days.map((each) => each.day / day)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(comparisons.take()[0]?.days.map((each) => each.day / day)).toEqual([8, 9])
    expect(comparisons.take()).toEqual([])
  })

  test('of more models than a report carries goes on in the next one', () => {
    const comparisons = createComparisons()
    for (let i = 0; i < limits.comparisonsPerReportMax + 1; i += 1) {
      comparisons.expect(pair(0, [10], [10], { model: `m${i}` }))
      comparisons.close(`m${i}`, hour, read)
    }
    expect(comparisons.take()).toHaveLength(limits.comparisonsPerReportMax)
    expect(comparisons.take()).toHaveLength(1)
  })

  test('keeps no more than its bounds: the oldest pairs and days go', () => {
    const comparisons = createComparisons({ pairsMax: 3, daysMax: 2 })
    for (let at = 0; at < 5; at += 1) comparisons.expect(pair(at * day, [10], [10]))
    expect(comparisons.waiting()).toBe(3)
    comparisons.close('load', 9 * day, read)
    expect(comparisons.take()[0]?.days.map((each) => each.day / day)).toEqual([3, 4])
  })
})
