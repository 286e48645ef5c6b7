import { describe, expect, test } from 'vitest'
import { limits } from '../limits.ts'
import { comparisonSchema, type ComparedDay } from './comparison.ts'
import { reportedModelSchema, reportedShadowSchema } from './presence.ts'

const day: ComparedDay = {
  day: 1_699_920_000_000,
  count: 2,
  failures: 0,
  champion: { squared: 5, absolute: 3 },
  challenger: { squared: 1, absolute: 1 },
  actual: { sum: 7, squared: 25 },
}
const comparison = {
  model: 'load',
  champion: 3,
  challenger: 4,
  challengerSha256: 'a'.repeat(64),
  days: [day],
}
const takes = (changes: Record<string, unknown>) =>
  comparisonSchema.safeParse({ ...comparison, ...changes }).success

describe('a comparison', () => {
  test('is sums for each day', () => {
    expect(takes({})).toBe(true)
  })

  test.each([
    ['no day', { days: [] }],
    [
      'more days than a report carries',
      { days: Array.from({ length: limits.comparedDaysMax + 1 }, () => day) },
    ],
    ['a negative loss', { days: [{ ...day, challenger: { squared: -1, absolute: 1 } }] }],
    ['a loss that is no number', { days: [{ ...day, challenger: { squared: NaN, absolute: 1 } }] }],
    ['an infinite loss', { days: [{ ...day, challenger: { squared: Infinity, absolute: 1 } }] }],
    ['no failures told', { days: [{ ...day, failures: undefined }] }],
    ['no digest', { challengerSha256: undefined }],
  ])('is refused with %s', (_, changes) => {
    expect(takes(changes)).toBe(false)
  })
})

describe('the shadow of a reported model', () => {
  const model = {
    phase: 'idle',
    active: null,
    previous: null,
    challenger: null,
    pinned: false,
    releaseMax: 0,
    quarantined: [],
    outcome: null,
  }
  const shadow = {
    version: 4,
    release: 4,
    sha256: 'a'.repeat(64),
    state: 'running',
    reason: null,
    detail: '',
  }

  test('may be there, null, or absent as from an agent that knows none', () => {
    for (const each of [{ shadow }, { shadow: null }, {}]) {
      expect(reportedModelSchema.safeParse({ ...model, ...each }).success).toBe(true)
    }
  })

  test('is in a state that both sides know', () => {
    expect(reportedShadowSchema.safeParse({ ...shadow, state: 'refused', reason: 'LATENCY' }).success).toBe(
      true,
    )
    expect(reportedShadowSchema.safeParse({ ...shadow, state: 'active' }).success).toBe(false)
  })
})
