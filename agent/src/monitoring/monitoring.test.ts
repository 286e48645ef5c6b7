import { DDSketch } from '@datadog/sketches-js'
import { describe, expect, test } from 'vitest'
import { createFeatureBuilder } from '@imlma/protocol/features'
import type { Manifest } from '@imlma/protocol/manifest'
import { metricsOf, skillOf } from '@imlma/protocol/metrics'
import {
  alarmSchema,
  encodeCbor,
  parseCborMessage,
  reportSchema,
  type VersionWindow,
} from '@imlma/protocol/wire'
import type { ForecastBatch } from '../serving/forecaster.ts'
import { tinyContract } from '../serving/testing/tiny-contract.ts'
import { createInputDrift } from './input-drift.ts'
import { createLatencySketch } from './latency.sketches.ts'
import { createMonitor } from './monitor.ts'
import { createRealisedErrors, stepsWatched, type Realised } from './realised-errors.ts'
import { createWarnings } from './warnings.ts'

const hour = 3_600_000
const day = 24 * hour

describe('latency sketch', () => {
  test('gives percentiles within one percent, in milliseconds', () => {
    const sketch = createLatencySketch()
    expect(sketch.percentiles()).toBeNull()
    expect(sketch.bytes()).toBeNull()
    for (let i = 1; i <= 1_000; i++) sketch.add(i)
    const { p50, p95, p99 } = sketch.percentiles() ?? { p50: 0, p95: 0, p99: 0 }
    expect(Math.abs(p50 / 500 - 1)).toBeLessThan(0.0101)
    expect(Math.abs(p95 / 950 - 1)).toBeLessThan(0.0101)
    expect(Math.abs(p99 / 990 - 1)).toBeLessThan(0.0101)
  })

  test('merges from its bytes to the percentiles of both, in seconds', () => {
    const [fast, slow] = [createLatencySketch(), createLatencySketch()]
    for (let i = 0; i < 900; i++) fast.add(1)
    for (let i = 0; i < 100; i++) slow.add(50)
    const merged = DDSketch.fromProto(fast.bytes() as Uint8Array)
    merged.merge(DDSketch.fromProto(slow.bytes() as Uint8Array))
    expect(merged.count).toBe(1_000)
    expect(Math.abs(merged.getValueAtQuantile(0.5) / 0.001 - 1)).toBeLessThan(0.0101)
    expect(Math.abs(merged.getValueAtQuantile(0.95) / 0.05 - 1)).toBeLessThan(0.0101)
  })
})

describe('realised errors', () => {
  const create = (options = {}) =>
    createRealisedErrors({ intervalMs: hour, horizon: 48, seasonSteps: 24, steps: [1, 30], ...options })
  const forecasts = Float32Array.from({ length: 96 }, (_, i) => i)

  test('hold a forecast against its actual, and the baseline against the same', () => {
    const errors = create()
    const realised: Realised[] = []
    errors.expect({ origin: 10 * day, meters: ['a', 'b'], values: forecasts })
    const read = (_: string, at: number): number => at / hour
    errors.close(10 * day, read, (pair) => realised.push(pair))
    expect(realised).toEqual([])
    errors.close(10 * day + hour, read, (pair) => realised.push(pair))
    expect(realised).toEqual([
      { meter: 'a', at: 10 * day, step: 1, forecast: 0, actual: 240, baseline: 216 },
      { meter: 'b', at: 10 * day, step: 1, forecast: 48, actual: 240, baseline: 216 },
    ])
    realised.length = 0
    errors.close(10 * day + 30 * hour, read, (pair) => realised.push(pair))
    // Step 30 lies in the second season after the origin: a day before its target nothing was known yet.
    expect(realised[0]).toEqual({
      meter: 'a',
      at: 10 * day + 29 * hour,
      step: 30,
      forecast: 29,
      actual: 269,
      baseline: 221,
    })
    expect(errors.waiting()).toBe(0)
  })

  test('count no pair that misses its actual or its baseline', () => {
    const errors = create({ steps: [1] })
    let count = 0
    const pairs = [
      [Number.NaN, 1],
      [1, Number.NaN],
      [1, 1],
    ] as const
    for (const [actual, baseline] of pairs) {
      errors.expect({ origin: day, meters: ['a'], values: forecasts })
      errors.close(
        day + hour,
        (_, at) => (at === day ? actual : baseline),
        () => (count += 1),
      )
    }
    expect(count).toBe(1)
  })

  test('know the range that each forecast gave at its step', () => {
    const errors = create({ steps: [2], horizon: 3 })
    const realised: Realised[] = []
    const quantiles = {
      probabilities: [0.1, 0.5, 0.9],
      // Of two meters: low, middle, high, three steps each; the second has no number where it is watched.
      values: Float32Array.from({ length: 18 }, (_, i) => (i === 16 ? Number.NaN : i)),
    }
    errors.expect({ origin: day, meters: ['a', 'b'], values: forecasts, quantiles })
    errors.close(
      2 * day,
      () => 5,
      (pair) => realised.push(pair),
    )
    expect(realised.map(({ meter, range }) => [meter, range])).toEqual([
      ['a', { low: 1, high: 7 }],
      ['b', undefined],
    ])
    // One quantile alone is no range.
    errors.expect({
      origin: 3 * day,
      meters: ['a'],
      values: forecasts,
      quantiles: { ...quantiles, probabilities: [0.5] },
    })
    errors.close(
      4 * day,
      () => 5,
      (pair) => realised.push(pair),
    )
    expect(realised[2]?.range).toBeUndefined()
  })

  test('keep to their bound of values', () => {
    const errors = create({ valuesMax: 10 })
    for (let i = 0; i < 50; i++) errors.expect({ origin: i * hour, meters: ['a', 'b'], values: forecasts })
    expect(errors.waiting()).toBeLessThanOrEqual(10)
  })

  test('watch the next step, the fourth, and a day ahead, as far as the horizon goes', () => {
    expect(stepsWatched(900_000, 96)).toEqual([1, 4, 96])
    expect(stepsWatched(hour, 48)).toEqual([1, 4, 24])
    expect(stepsWatched(900_000, 3)).toEqual([1, 3])
  })
})

describe('input drift', () => {
  const reference = { load: { histogram: { edges: [1, 2, 3], counts: [250, 250, 250, 250] } } }
  const create = () => createInputDrift({ reference, columns: ['hour', 'load'], rowsPerBatchMax: 4 })
  /** Four rows whose second column is spread over the reference's bins, or stuck in the last one. */
  const rows = (stuck: boolean): Float32Array =>
    Float32Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? 99 : stuck ? 9 : 0.5 + (i - 1) / 2))

  test('counts the named column, window by window', () => {
    const drift = create()
    drift.add(rows(false), 4, 0)
    expect(drift.takeWindow()['load']?.histogram.counts).toEqual([1, 1, 1, 1])
    expect(drift.takeWindow()['load']?.histogram.counts).toEqual([0, 0, 0, 0])
  })

  test('says nothing before a day was seen and 100 rows were counted', () => {
    const drift = create()
    for (let i = 0; i < 40; i++) drift.add(rows(true), 4, i * 60_000)
    expect(drift.takeWindow()['load']?.verdict).toMatchObject({ level: 'too-few', rows: 160 })
  })

  test('tells what moved from what did not', () => {
    const [same, moved] = [create(), create()]
    for (let i = 0; i < 40; i++) {
      same.add(rows(false), 4, i * hour)
      moved.add(rows(true), 4, i * hour)
    }
    expect(same.takeWindow()['load']?.verdict).toMatchObject({ level: 'stable', rows: 160, psi: 0 })
    expect(moved.takeWindow()['load']?.verdict).toMatchObject({ level: 'act', rows: 160 })
  })

  test('forgets days that are long gone', () => {
    const drift = create()
    for (let i = 0; i < 48; i++) drift.add(rows(true), 4, i * hour)
    for (let i = 48; i < 48 + 8 * 24; i++) drift.add(rows(false), 4, i * hour)
    expect(drift.takeWindow()['load']?.verdict).toMatchObject({ level: 'stable', rows: 7 * 24 * 4 })
  })
})

describe('warnings', () => {
  const window = (p99: number, verdict: 'stable' | 'act' = 'stable'): VersionWindow => ({
    model: 'load',
    version: 2,
    runs: 100,
    failures: 0,
    latencySketch: null,
    latencyMs: { p50: 1, p95: 2, p99 },
    errors: {
      count: 0,
      errorSum: 0,
      absoluteErrorSum: 0,
      squaredErrorSum: 0,
      actualMean: 0,
      actualSquaresSum: 0,
    },
    baseline: {
      count: 0,
      errorSum: 0,
      absoluteErrorSum: 0,
      squaredErrorSum: 0,
      actualMean: 0,
      actualSquaresSum: 0,
    },
    inputs: {
      'lag 1': {
        histogram: { edges: [1], counts: [1, 1] },
        rows: 500,
        psi: verdict === 'act' ? 0.4 : 0,
        verdict,
      },
    },
    residuals: null,
    samples: [],
  })

  test('one slow window is no warning, three in a row are one', () => {
    const warnings = createWarnings()
    const raised = [60, 10, 60, 60, 60, 60].map((p99) => warnings.look(window(p99), 50).length)
    expect(raised).toEqual([0, 0, 0, 0, 1, 0])
  })

  test('a cause that was well for a while may warn again', () => {
    const warnings = createWarnings({ wellWindowsMin: 2 })
    const raised = (['act', 'act', 'stable', 'act', 'stable', 'stable', 'act'] as const).map(
      (verdict) => warnings.look(window(1, verdict), 50).length,
    )
    expect(raised).toEqual([1, 0, 0, 0, 0, 0, 1])
  })

  test('names the input that moved most, with its evidence', () => {
    const [warning] = createWarnings().look(window(1, 'act'), 50)
    expect(warning).toMatchObject({
      kind: 'drift',
      level: 'act',
      value: 0.4,
      evidence: { input: 'lag 1', rows: 500 },
    })
  })
})

describe('monitor', () => {
  const contract = tinyContract({ features: 8, horizon: 2, intervalMs: hour, seasonSteps: 4 })
  const builder = createFeatureBuilder(contract.features)
  const identity = { model: 'load', version: 3, sha256: 'c'.repeat(64) }
  const reference: Manifest['reference'] = {
    inputs: { 'lag 1': { histogram: { edges: [0], counts: [500, 500] }, rows: 1_000 } },
    residuals: { histogram: { edges: [-1, 1], counts: [10, 80, 10] }, rows: 100 },
    holdOut: { mse: 1, mae: 1, r2: 0.5 },
    latencyMsBudget: 5,
  }
  const create = () => {
    const clock = { now: 1_000 }
    const monitor = createMonitor(
      {
        now: () => clock.now,
        newId: () => 'alarm-1',
        createLatencySketch,
        reference: () => reference,
        readActual: (_meter, _register, _interval, at) => at / hour,
        process: () => ({ residentBytes: 1, uptimeS: 1, reconnects: 0 }),
      },
      { bootId: 'boot' },
    )
    return { clock, monitor }
  }
  const batch = (origin: number): ForecastBatch => ({
    ...identity,
    register: contract.register,
    builder,
    origin,
    meters: ['a', 'b', 'c', 'd'],
    features: new Float32Array(32).fill(1),
    values: Float32Array.from({ length: 8 }, (_, i) => origin / hour + (i % 2) + 2),
  })

  test('tells a challenger in shadow apart, compares it, and warns of nothing that it does', () => {
    const { monitor } = create()
    const challenger = { ...identity, version: 4, sha256: 'c'.repeat(64) }
    const run = { rows: 4, durationMs: 1_000_000, outcome: 'answered' } as const
    for (let window = 1; window <= 4; window += 1) {
      monitor.onRun({ ...identity, ...run, durationMs: 1 })
      for (let i = 0; i < 50; i += 1) monitor.onShadowRun({ ...challenger, ...run })
      monitor.onShadowBatch({ ...batch(100 * hour), ...challenger })
      expect(monitor.takeReport().alarms).toEqual([])
    }
    monitor.onPaired({
      model: 'load',
      champion: 3,
      challenger,
      intervalMs: hour,
      origin: 100 * hour,
      meters: ['a'],
      steps: [1],
      championValues: Float32Array.of(101),
      challengerValues: Float32Array.of(98),
    })
    monitor.onClosed({ model: 'load', register: contract.register, intervalMs: hour, end: 101 * hour })
    const { report } = monitor.takeReport()
    expect(parseCborMessage(reportSchema, encodeCbor(report), 1_000_000).ok).toBe(true)
    // The champion is always said, also in a window in which nothing happened to it.
    expect(report.versions.map(({ version, shadow }) => [version, shadow])).toEqual([
      [3, undefined],
      [4, true],
    ])
    expect(report.comparisons).toMatchObject([
      {
        champion: 3,
        challenger: 4,
        days: [{ day: 4 * day, count: 1, champion: { squared: 1 }, challenger: { squared: 4 } }],
      },
    ])
    expect(monitor.takeReport().report.comparisons).toBeUndefined()
  })

  test('reports a window that travels, and begins the next one empty', () => {
    const { clock, monitor } = create()
    monitor.onRun({ ...identity, rows: 4, durationMs: 2, outcome: 'answered' })
    monitor.onRun({ ...identity, rows: 4, durationMs: 2, outcome: 'failed' })
    monitor.onBatch(batch(100 * hour))
    monitor.onClosed({ model: 'load', register: contract.register, intervalMs: hour, end: 101 * hour })
    clock.now = 11_000
    const { report } = monitor.takeReport()
    const parsed = parseCborMessage(reportSchema, encodeCbor(report), 1_000_000)
    expect(parsed.ok).toBe(true)
    expect(report).toMatchObject({ windowStart: 1_000, windowEnd: 11_000 })
    const [window] = report.versions
    expect(window).toMatchObject({ model: 'load', version: 3, runs: 2, failures: 1 })
    // Step 1 forecast the actual plus 2; the baseline is four hours older.
    expect(metricsOf(window!.errors)).toMatchObject({ count: 4, mse: 4, bias: 2 })
    expect(metricsOf(window!.baseline)).toMatchObject({ count: 4, mse: 16, bias: -4 })
    expect(skillOf(window!.errors, window!.baseline)).toBe(0.75)
    expect(window!.residuals).toEqual({ edges: [-1, 1], counts: [0, 0, 4] })
    expect(window!.samples.map(({ meter }) => meter)).toEqual(['a', 'b', 'c'])
    expect(window!.inputs['lag 1']).toMatchObject({ histogram: { edges: [0], counts: [0, 4] }, rows: 4 })
    expect(monitor.takeReport().report.versions[0]).toMatchObject({ runs: 0, errors: { count: 0 } })
  })

  test('counts how many actuals lay between the lowest and the highest quantile', () => {
    const { monitor } = create()
    // Actual of the first step is 100: inside, on the edge, below, above; each meter has two quantiles of two steps.
    const ranges = [99, 101, 100, 102, 101, 103, 98, 99].flatMap((value) => [value, value])
    const quantiles = { probabilities: [0.1, 0.9], values: Float32Array.from(ranges) }
    monitor.onBatch({ ...batch(100 * hour), quantiles })
    monitor.onClosed({ model: 'load', register: contract.register, intervalMs: hour, end: 101 * hour })
    const { report } = monitor.takeReport()
    expect(report.versions[0]?.coverage).toEqual({ inside: 2, count: 4 })
    expect(report.versions[0]?.samples[0]).toMatchObject({ meter: 'a', low: 99, high: 101 })
    const parsed = parseCborMessage(reportSchema, encodeCbor(report), 1_000_000)
    expect(parsed.ok && parsed.value.versions[0]?.coverage).toEqual({ inside: 2, count: 4 })
    monitor.onBatch(batch(101 * hour))
    monitor.onClosed({ model: 'load', register: contract.register, intervalMs: hour, end: 103 * hour })
    expect(monitor.takeReport().report.versions[0]).toMatchObject({ coverage: { count: 4 } })
    expect('coverage' in (monitor.takeReport().report.versions[0] ?? {})).toBe(false)
  })

  test('a replaced version is reported until its forecasts have met their actuals', () => {
    const { monitor } = create()
    monitor.onBatch(batch(100 * hour))
    monitor.onBatch({ ...batch(100 * hour), version: 4, sha256: 'd'.repeat(64) })
    monitor.onClosed({ model: 'load', register: contract.register, intervalMs: hour, end: 102 * hour })
    const versions = () => monitor.takeReport().report.versions.map(({ version }) => version)
    expect(versions()).toEqual([3, 4])
    expect(versions()).toEqual([4])
  })

  test('raises an alarm that travels when runs stay over the budget', () => {
    const { monitor } = create()
    const alarms = Array.from({ length: 4 }, () => {
      for (let i = 0; i < 30; i++) monitor.onRun({ ...identity, rows: 1, durationMs: 9, outcome: 'answered' })
      return monitor.takeReport().alarms
    }).flat()
    expect(alarms.length).toBe(1)
    expect(alarmSchema.parse(alarms[0])).toMatchObject({
      kind: 'latency',
      level: 'act',
      limit: 5,
      version: 3,
    })
  })
})
