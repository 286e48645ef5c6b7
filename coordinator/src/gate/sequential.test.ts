import { describe, expect, test } from 'vitest'
import { createRandom } from '../tuning/random.ts'
import {
  createSequentialTest,
  sequentialStateSchema,
  type DailyLosses,
  type SequentialState,
} from './sequential.ts'

const shadow = createSequentialTest()

/** Until the first verdict, or the last day. */
const follow = (days: readonly DailyLosses[]): SequentialState => {
  let state = shadow.start()
  for (const day of days) state = shadow.step(state, day).state
  return state
}

/** Days with log-normal losses of both, a fifth apart from each other's. */
const daysOf = (ratio: number, seed: number, count: number): readonly DailyLosses[] => {
  const random = createRandom(seed)
  return Array.from({ length: count }, () => ({
    champion: Math.exp(0.2 * random.normal()),
    challenger: ratio * Math.exp(0.2 * random.normal()),
  }))
}

describe('the sequential test', () => {
  test('multiplies wealth as worked out by hand', () => {
    const single = createSequentialTest({ stakes: 1, differenceMax: 0.5 })
    // One stake of ½ / ½ = 1: 1 + 0.2, then 1 + 0.2 once more; the other gambler loses as much.
    const once = single.step(single.start(), { champion: 3, challenger: 2 })
    const { evidence } = single.step(once.state, { champion: 3, challenger: 2 })
    expect(evidence.better).toBeCloseTo(1.44, 12)
    expect(evidence.worse).toBeCloseTo(0.64, 12)
    expect(evidence).toMatchObject({ days: 2, needed: 40 })
    expect(evidence.meanDifference).toBeCloseTo(0.2, 12)
  })

  test('promotes a fifth less loss within weeks and rejects a fifth more', () => {
    for (let seed = 1; seed <= 20; seed++) {
      expect(follow(daysOf(0.8, seed, 60)).verdict).toBe('promote')
      expect(follow(daysOf(1.25, seed, 60)).verdict).toBe('reject')
    }
  })

  test('promotes no better challenger in at most one of forty shadows, however often one looks', () => {
    const promoted = Array.from({ length: 1_000 }, (_, seed) => follow(daysOf(1, seed, 60)).verdict).filter(
      (verdict) => verdict === 'promote',
    ).length
    expect(promoted).toBeLessThanOrEqual(25)
  })

  test('no single day decides, whatever it brings', () => {
    expect(follow([{ champion: 1e9, challenger: 1e-9 }]).verdict).toBe('inconclusive')
    expect(follow([{ champion: Infinity, challenger: 1 }]).differenceSum).toBe(0.25)
    expect(follow([{ champion: 1, challenger: Infinity }]).differenceSum).toBe(-0.25)
    expect(follow([{ champion: Infinity, challenger: Infinity }]).differenceSum).toBe(0)
    expect(() => follow([{ champion: Number.NaN, challenger: 1 }])).toThrow(/a loss is a number/)
  })

  test('a state goes through JSON at any day and ends the same', () => {
    let state = shadow.start()
    for (const day of daysOf(0.85, 3, 60)) {
      state = shadow.step(sequentialStateSchema.parse(JSON.parse(JSON.stringify(state))), day).state
    }
    expect(state).toEqual(follow(daysOf(0.85, 3, 60)))
  })

  test('a verdict stands, and steps change nothing that was given', () => {
    const promoted = follow(daysOf(0.5, 1, 30))
    const before = structuredClone(promoted)
    const after = shadow.step(promoted, { champion: 1, challenger: 100 })
    expect(after.state).toEqual(before)
    expect(promoted).toEqual(before)
    expect(after.verdict).toBe('promote')
  })

  test('a challenger without proof leaves after the last day', () => {
    const same = Array.from({ length: 91 }, () => ({ champion: 1, challenger: 1 }))
    expect(follow(same.slice(0, 89)).verdict).toBe('inconclusive')
    expect(follow(same)).toMatchObject({ verdict: 'reject', days: 90 })
  })

  test('swapping the models swaps the gamblers', () => {
    const days = daysOf(0.95, 4, 30)
    const forth = follow(days)
    const back = follow(
      days.map(({ champion, challenger }) => ({ champion: challenger, challenger: champion })),
    )
    expect(back.better).toEqual(forth.worse)
    expect(back.worse).toEqual(forth.better)
  })
})
