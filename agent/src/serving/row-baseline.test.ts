import { createFeatureBuilder, type FeatureSpec } from '@imlma/protocol/features'
import { expect, test } from 'vitest'
import { createRowBaseline } from './row-baseline.ts'
import { tinyContract } from './testing/tiny-contract.ts'

const intervalMs = 900_000
const { features: lagged } = tinyContract({ features: 8, horizon: 6, seasonSteps: 4 })

/** Each value is its own number from the start of the series. */
const rowOf = (spec: FeatureSpec): Float32Array => {
  const builder = createFeatureBuilder(spec)
  const values = Float32Array.from({ length: 100 }, (_, i) => i)
  const row = new Float32Array(builder.count)
  const series = { start: 0, intervalMs, values }
  expect(builder.writeRow(row, 0, series, 100 * intervalMs, [])).toBe('ok')
  return row
}
const answer = (spec: FeatureSpec): readonly number[] | undefined => {
  const baseline = createRowBaseline(spec)
  if (baseline === undefined) return undefined
  const row = rowOf(spec)
  const into = new Float32Array(2 * spec.horizon)
  baseline(Float32Array.of(...row, ...row), 2, into)
  expect([...into.subarray(0, spec.horizon)]).toEqual([...into.subarray(spec.horizon)])
  return [...into.subarray(0, spec.horizon)]
}

test('each step is the latest value at its phase of the season', () => {
  expect(answer(lagged)).toEqual([96, 97, 98, 99, 96, 97])
})

test('where the latest season is not in the row, the one before it is taken', () => {
  const shared = [
    { kind: 'statistics', over: 4, of: ['mean'] },
    { kind: 'lags', lags: [8, 7, 6, 5] },
  ] as never
  expect(answer({ ...lagged, shared })).toEqual([92, 93, 94, 95, 92, 93])
})

test('terms of a step are found among the others', () => {
  const step = [
    { kind: 'calendar', parts: [{ kind: 'day-type' }] },
    { kind: 'seasonal-lag', seasonSteps: 4, count: 2 },
    { kind: 'seasonal-lag', seasonSteps: 4, count: 1 },
  ] as never
  expect(answer({ ...lagged, shared: [], step })).toEqual([96, 97, 98, 99, 96, 97])
})

test('without the phase the latest value stands for it, and without the past nothing does', () => {
  expect(answer({ ...lagged, shared: [{ kind: 'lags', lags: [2, 3] }] })).toEqual([98, 97, 98, 98, 98, 97])
  expect(createRowBaseline({ ...lagged, shared: [], step: [] })).toBeUndefined()
})
