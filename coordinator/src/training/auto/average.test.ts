import { featureSpecSchema, createFeatureBuilder } from '@imlma/protocol/features'
import { utc } from '@imlma/protocol/series'
import { describe, expect, test } from 'vitest'
import { createGraphSessions } from '../engine/session.onnx.ts'
import { createGraphBuilder } from '../graph.ts'
import { gemm } from '../operators.ts'
import { averageGraph } from './average-graph.ts'
import { weightsOf } from './greedy.ts'
import { noErrors, onCommonRows, withFold } from './trial-errors.ts'
import { unionSpec } from './union-spec.ts'

describe('an average', () => {
  test('hands each model the columns that it knows, by name', async () => {
    const linear = (weights: readonly number[]) => {
      const graph = createGraphBuilder('linear')
      const features = graph.input('features', 'float32', ['batch', weights.length])
      const weight = graph.constant('weights', 'float32', [weights.length, 1], weights)
      return graph.build([gemm(graph, [features, weight], { name: 'forecast' })])
    }
    const graph = averageGraph(
      [
        { graph: linear([1, 10, 100]), weight: 0.25, columns: ['a', 'b', 'c'] },
        { graph: linear([1, 10]), weight: 0.75, columns: ['c', 'a'] },
      ],
      ['a', 'b', 'c'],
    )
    const session = await createGraphSessions().open(graph)
    const { forecast } = await session.run({
      features: { shape: [1, 3], values: Float32Array.of(1, 2, 3) },
    })
    await session.close()
    expect([...(forecast as Float32Array)]).toEqual([0.25 * 321 + 0.75 * 13])
  })

  test('is made where errors cancel, and not where one model is as good', () => {
    const up = Float32Array.of(1, 1, 1, 1)
    expect(weightsOf([up, Float32Array.of(-1, -1, -1, -1)], 'mse')).toMatchObject({
      weights: [0.5, 0.5],
      loss: 0,
    })
    expect(weightsOf([up, Float32Array.of(2, 2, 2, 2)], 'mae').weights).toEqual([1, 0])
  })
})

describe('what models got wrong', () => {
  const rows = (origins: readonly number[]) => ({
    rows: origins.length,
    targets: new Float32Array(2 * origins.length),
    series: new Uint32Array(origins.length),
    origins: Float64Array.from(origins),
  })
  const errors = (origins: readonly number[], residuals: readonly number[]) =>
    withFold(noErrors, { residuals: Float32Array.from(residuals) }, rows(origins), 0) ?? noErrors

  test('is compared on the rows that all of them have, in one order', () => {
    const long = errors([2, 3], [2, 2, 3, 3])
    const short = errors([3, 1, 2], [30, 31, 10, 11, 20, 21])
    expect(onCommonRows([long, short])).toEqual([
      Float32Array.of(2, 2, 3, 3),
      Float32Array.of(20, 21, 30, 31),
    ])
  })

  test('is not known of a model that judged itself on some of its rows', () => {
    expect(withFold(noErrors, { residuals: Float32Array.of(1) }, rows([1]), 0)).toBeUndefined()
  })

  test('in one fold is not mixed with another fold', () => {
    const first = errors([1], [1, 1])
    const second = withFold(first, { residuals: Float32Array.of(2, 2) }, rows([1]), 1) ?? noErrors
    expect(onCommonRows([first, second])).toEqual([Float32Array.of(1, 1), Float32Array.of(1, 1)])
  })
})

describe('the union of feature specs', () => {
  const specOf = (shared: object[], step: object[], missingMax = 0) =>
    featureSpecSchema.parse({
      v: 1,
      intervalMs: 3_600_000,
      horizon: 2,
      seasonSteps: 24,
      missingMax,
      zone: [...utc],
      holidays: [],
      shared,
      step,
    })
  const one = specOf(
    [
      { kind: 'statistics', over: 24, of: ['mean', 'deviation'] },
      { kind: 'lags', lags: [1, 2] },
    ],
    [{ kind: 'calendar', parts: [{ kind: 'day-type' }] }],
  )
  const other = specOf(
    [
      { kind: 'lags', lags: [1, 24] },
      { kind: 'statistics', over: 24, of: ['mean', 'min'] },
    ],
    [
      { kind: 'calendar', parts: [{ kind: 'day-of-week' }, { kind: 'day-type' }] },
      { kind: 'seasonal-lag', seasonSteps: 24, count: 1 },
    ],
    6,
  )

  test('holds every column of each of them once', () => {
    const union = unionSpec([one, other])
    const names = union === undefined ? [] : createFeatureBuilder(union).names
    for (const spec of [one, other])
      expect(names).toEqual(expect.arrayContaining([...createFeatureBuilder(spec).names]))
    expect(names.filter((name) => name === 'lag 1' || name === 'mean of 24')).toHaveLength(2)
    expect(union?.missingMax).toBe(6)
  })

  test('of one is itself, and there is none over different horizons', () => {
    expect(unionSpec([one, one])).toBe(one)
    expect(unionSpec([one, { ...other, horizon: 3 }])).toBeUndefined()
  })
})
