import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { dayMs, sliceSeries, type IntervalSeries } from '../series/index.ts'
import { createFeatureBuilder } from './builder.ts'
import { cosineOf, sineOf } from './harmonics.ts'
import { contextLengthOf, covariateHistoryOf, featureCount, seasonalLagOf } from './extent.ts'
import type { FeatureSpec } from './fields.ts'
import { featureSpecSchema } from './spec.ts'

const hourMs = 3_600_000
const start = Date.UTC(2024, 2, 1)

const parse = (spec: object): FeatureSpec =>
  featureSpecSchema.parse({
    v: 1,
    intervalMs: hourMs,
    horizon: 3,
    seasonSteps: 24,
    missingMax: 2,
    zone: [{ from: 0, offsetMs: hourMs }],
    holidays: ['2024-03-29'],
    shared: [],
    step: [],
    ...spec,
  })

const counting = (length: number): IntervalSeries => ({
  start,
  intervalMs: hourMs,
  values: Float32Array.from({ length }, (_, i) => i),
})

const rowOf = (
  spec: FeatureSpec,
  series: IntervalSeries,
  origin: number,
  covariates: readonly IntervalSeries[] = [],
) => {
  const builder = createFeatureBuilder(spec)
  const row = new Float32Array(builder.count)
  return {
    outcome: builder.writeRow(row, 0, series, origin, covariates),
    row: [...row],
    names: builder.names,
  }
}

describe('feature rows', () => {
  test('are laid out as shared terms, then each step', () => {
    const spec = parse({
      shared: [
        { kind: 'lags', lags: [1, 2, 24] },
        { kind: 'statistics', over: 3, of: ['mean', 'deviation', 'min', 'max'] },
      ],
      step: [{ kind: 'seasonal-lag', seasonSteps: 24, count: 1 }],
    })
    const { row, outcome, names } = rowOf(spec, counting(100), start + 50 * hourMs)
    expect(outcome).toBe('ok')
    expect(row).toEqual([49, 48, 26, 48, Math.fround(Math.sqrt(2 / 3)), 47, 49, 26, 27, 28])
    expect(names).toHaveLength(featureCount(spec))
    expect(names.at(-1)).toBe('step 3 seasonal 24 × 1')
  })

  test('a seasonal lag beyond the season reads the latest value that is known', () => {
    expect([1, 24, 25, 48, 49].map((step) => seasonalLagOf(24, 1, step))).toEqual([24, 1, 24, 1, 24])
    expect(seasonalLagOf(24, 2, 1)).toBe(48)
    expect(
      contextLengthOf(parse({ horizon: 30, step: [{ kind: 'seasonal-lag', seasonSteps: 24, count: 2 }] })),
    ).toBe(48)
  })

  test('the calendar speaks of the target in local time', () => {
    const spec = parse({
      horizon: 2,
      step: [
        {
          kind: 'calendar',
          parts: [
            { kind: 'day-of-week' },
            { kind: 'day-type' },
            { kind: 'holiday', offsetDays: [0, 1] },
            { kind: 'time-of-day-harmonics', order: 1 },
          ],
        },
      ],
    })
    // Thursday 28 March 22:00 UTC is 23:00 local; the next step is Good Friday 00:00.
    const { row } = rowOf(spec, counting(24 * 40), Date.UTC(2024, 2, 28, 22))
    expect(row.slice(0, 12)).toEqual([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1])
    expect(row.slice(14, 28)).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 1, 0])
  })

  test('a day profile is zero for every kind of day but its own', () => {
    const spec = parse({
      horizon: 1,
      step: [{ kind: 'calendar', parts: [{ kind: 'day-profile', by: 'day-type', order: 1 }] }],
    })
    // Saturday 2 March, 06:00 local: a quarter of the day.
    expect(rowOf(spec, counting(48), Date.UTC(2024, 2, 2, 5)).row).toEqual([0, 0, 0, 1, 0, 1, 0, 0, 0])
  })

  test('a covariate is piecewise linear, lagged and averaged, and may be coarser than the series', () => {
    const temperature: IntervalSeries = {
      start,
      intervalMs: 2 * hourMs,
      values: Float32Array.of(10, 20, 30, Number.NaN),
    }
    const spec = parse({
      horizon: 2,
      step: [
        { kind: 'covariate', name: 'temperature', knots: [15] },
        { kind: 'covariate', name: 'temperature', knots: [], lag: 1, averageSteps: 2 },
      ],
    })
    expect(covariateHistoryOf(spec)).toBe(2)
    expect(rowOf(spec, counting(8), start + 4 * hourMs, [temperature]).row).toEqual([30, 15, 20, 30, 15, 25])
    expect(rowOf(spec, counting(8), start + 5 * hourMs, [temperature]).outcome).toBe('covariate-missing')
  })

  test('values at and after the origin are never read', () => {
    const spec = parse({ shared: [{ kind: 'lags', lags: [1, 24] }] })
    const series = counting(48)
    const before = rowOf(spec, series, start + 30 * hourMs).row
    series.values.fill(1e9, 30)
    expect(rowOf(spec, series, start + 30 * hourMs).row).toEqual(before)
  })

  test('with more gaps than allowed are invalid, and say so', () => {
    const spec = parse({ shared: [{ kind: 'lags', lags: [1, 2, 3, 4, 5] }] })
    const series = counting(20)
    series.values[9] = Number.NaN
    series.values[8] = Number.NaN
    expect(rowOf(spec, series, start + 10 * hourMs)).toMatchObject({ outcome: 'ok', row: [7, 7, 7, 6, 5] })
    series.values[6] = Number.NaN
    expect(rowOf(spec, series, start + 10 * hourMs).outcome).toBe('too-many-missing')
    expect(rowOf(spec, series, start + 2 * hourMs).outcome).toBe('too-many-missing')
  })

  test('have the same bits whether made in a batch or alone from the shortest history', () => {
    const spec = parse({
      intervalMs: 900_000,
      horizon: 96,
      seasonSteps: 96,
      missingMax: 40,
      shared: [
        { kind: 'lags', lags: [1, 2, 3, 96] },
        { kind: 'statistics', over: 672, of: ['mean', 'deviation'] },
        { kind: 'calendar', parts: [{ kind: 'day-profile', by: 'day-of-week', order: 4 }] },
      ],
      step: [
        { kind: 'seasonal-lag', seasonSteps: 672, count: 1 },
        { kind: 'covariate', name: 'temperature', knots: [15, 22], averageSteps: 4 },
        { kind: 'calendar', parts: [{ kind: 'day-of-year-harmonics', order: 3 }] },
      ],
    })
    const series: IntervalSeries = {
      start,
      intervalMs: 900_000,
      values: Float32Array.from({ length: 2_000 }, (_, i) =>
        i % 37 === 0 ? Number.NaN : 3 + Math.sin(i / 15) * 1.7,
      ),
    }
    const temperature: IntervalSeries = {
      start,
      intervalMs: 900_000,
      values: Float32Array.from({ length: 2_000 }, (_, i) => 18 + Math.cos(i / 40) * 9),
    }
    const batch = createFeatureBuilder(spec)
    const origins = [700, 701, 950, 1_500, 1_900].map((index) => start + index * 900_000)
    const rows = new Float32Array(batch.count * origins.length)
    origins.forEach((origin, i) =>
      expect(batch.writeRow(rows, i * batch.count, series, origin, [temperature])).toBe('ok'),
    )
    origins.forEach((origin, i) => {
      const single = createFeatureBuilder(featureSpecSchema.parse(JSON.parse(JSON.stringify(spec))))
      const row = new Float32Array(single.count)
      const shortest = sliceSeries(series, origin - single.contextLength * 900_000, origin)
      const ahead = sliceSeries(temperature, origin - covariateHistoryOf(spec) * 900_000, origin + dayMs)
      expect(single.writeRow(row, 0, shortest, origin, [ahead])).toBe('ok')
      expect(new Uint32Array(row.buffer)).toEqual(
        new Uint32Array(rows.buffer, i * batch.count * 4, batch.count),
      )
    })
  })

  test('agree with the stored vectors to the bit', () => {
    const { cases } = JSON.parse(
      readFileSync(new URL('../../vectors/features.json', import.meta.url), 'utf8'),
    )
    expect(cases.length).toBeGreaterThan(0)
    for (const { spec, series, origin, covariates, row } of cases) {
      const toSeries = (stored: { values: (number | null)[] }) =>
        ({
          ...stored,
          values: Float32Array.from(stored.values, (value) => value ?? Number.NaN),
        }) as unknown as IntervalSeries
      const made = rowOf(featureSpecSchema.parse(spec), toSeries(series), origin, covariates.map(toSeries))
      expect(made).toMatchObject({ outcome: 'ok', row })
    }
  })
})

describe('harmonics', () => {
  test('are cosine and sine, with exact quarters', () => {
    for (let i = -500; i < 2_000; i++) {
      expect(Math.abs(cosineOf(i, 1_461) - Math.cos((2 * Math.PI * i) / 1_461))).toBeLessThan(1e-13)
      expect(Math.abs(sineOf(i, 96) - Math.sin((2 * Math.PI * i) / 96))).toBeLessThan(1e-13)
    }
    expect([0, 1, 2, 3].map((quarter) => cosineOf(quarter, 4) + 0)).toEqual([1, 0, -1, 0])
    expect([0, 1, 2, 3].map((quarter) => sineOf(quarter, 4) + 0)).toEqual([0, 1, 0, -1])
  })
})

describe('a feature spec', () => {
  const refusals: readonly [string, object][] = [
    ['an interval that does not divide a day', { intervalMs: 7 * hourMs }],
    ['no horizon', { horizon: 0 }],
    ['an unknown version', { v: 2 }],
    ['an unknown term', { shared: [{ kind: 'wavelet' }] }],
    ['a lag of zero, which would be the target itself', { shared: [{ kind: 'lags', lags: [0] }] }],
    ['a date that does not exist', { holidays: ['2024-02-30'] }],
    ['no zone', { zone: [] }],
    ['a context beyond the limit', { step: [{ kind: 'seasonal-lag', seasonSteps: 2_688, count: 2 }] }],
    [
      'a row beyond the limit',
      { intervalMs: 1_000, shared: [{ kind: 'calendar', parts: [{ kind: 'time-of-day-one-hot' }] }] },
    ],
  ]
  test.each(refusals)('refuses %s', (_name, change) => {
    expect(featureSpecSchema.safeParse({ ...parse({}), ...change }).success).toBe(false)
  })
})
