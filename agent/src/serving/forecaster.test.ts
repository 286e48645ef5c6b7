import { describe, expect, test } from 'vitest'
import type { IntervalSeries } from '@imlma/protocol/series'
import { createActiveModels } from './active-models.ts'
import { createForecaster, type ClosedInterval, type ForecastBatch } from './forecaster.ts'
import type { ForecastHistory } from './feature-rows.ts'
import { createForecasts } from './forecasts.ts'
import { createIntervalFrontier, originsDue } from './interval-frontier.ts'
import type { LoadedModel } from './serving.ts'
import { tinyContract } from './testing/tiny-contract.ts'

const intervalMs = 900_000
const register = '1-0:1.8.0'
const at = (index: number): number => index * intervalMs

/** Readings in memory: value = index of the interval, from 0 up to (not with) each meter's length. */
const createHistory = (
  lengths: Record<string, number>,
): ForecastHistory & { lengths: Record<string, number> } => ({
  lengths,
  meters: () => Object.entries(lengths).map(([meter, length]) => ({ meter, end: at(length) })),
  readCovariate: (_, interval, from) => ({ start: from, intervalMs: interval, values: new Float32Array(0) }),
  read: (meter, _register, interval, from, to): IntervalSeries => ({
    start: from,
    intervalMs: interval,
    values: Float32Array.from({ length: (to - from) / interval }, (_, i) => {
      const index = from / interval + i
      return index >= 0 && index < (lengths[meter] ?? 0) ? index : Number.NaN
    }),
  }),
})

/** Forecasts its first two features (the last two readings). */
const echo = (version = 1, model = 'load'): LoadedModel => ({
  model,
  version,
  sha256: `${version}`.repeat(64),
  contract: tinyContract({ features: 8, horizon: 2, intervalMs, register }),
  run: async (features, rows) =>
    Float32Array.from({ length: rows * 2 }, (_, i) => features[Math.floor(i / 2) * 8 + (i % 2)] as number),
  close: async () => undefined,
})

const create = (lengths: Record<string, number>, options = {}) => {
  const clock = { now: 0 }
  const history = createHistory(lengths)
  const models = createActiveModels({ load: () => Promise.reject(new Error('unused')), now: () => clock.now })
  const forecasts = createForecasts({ now: () => clock.now })
  const batches: ForecastBatch[] = []
  const closed: ClosedInterval[] = []
  const failures: unknown[] = []
  const forecaster = createForecaster(
    {
      models,
      history,
      now: () => clock.now,
      turn: () => Promise.resolve(),
      onForecast: forecasts.record,
      onBatch: (batch) => batches.push({ ...batch, features: batch.features.slice() }),
      onClosed: (interval) => closed.push(interval),
      onFailed: (_, cause) => failures.push(cause),
    },
    options,
  )
  const append = (meter: string, length: number): void => {
    history.lengths[meter] = length
    forecaster.note(meter, register, intervalMs, at(length))
  }
  return { clock, models, forecaster, forecasts, batches, closed, failures, append }
}

const names = Array.from({ length: 10 }, (_, i) => `m${i}`)
const all = (length: number): Record<string, number> =>
  Object.fromEntries(names.map((meter) => [meter, length]))

describe('forecaster', () => {
  test('forecasts every meter in one run from the readings that are stored', async () => {
    const { models, forecaster, forecasts, batches } = create(all(20))
    models.activate(echo())
    await forecaster.run()
    expect(batches.map(({ origin, meters }) => [origin, meters.length])).toEqual([[at(20), 10]])
    const first = forecasts.list({ meter: 'm0' })[0]
    expect(first).toMatchObject({ model: 'load', version: 1, origin: at(20), unit: 'kW' })
    expect([...(first?.values ?? [])]).toEqual([19, 18])
  })

  test('waits until every meter has the interval, and then forecasts it once', async () => {
    const { models, forecaster, batches, append } = create(all(20))
    models.activate(echo())
    await forecaster.run()
    for (const meter of names.slice(1)) append(meter, 21)
    await forecaster.run()
    expect(batches.length).toBe(1)
    append('m0', 21)
    await forecaster.run()
    await forecaster.run()
    expect(batches.map(({ origin }) => origin)).toEqual([at(20), at(21)])
  })

  test('does not wait longer than the settling time for a silent meter, whose last reading is filled', async () => {
    const { clock, models, forecaster, batches, append } = create(all(20))
    models.activate(echo())
    await forecaster.run()
    for (const meter of names.slice(1)) append(meter, 21)
    clock.now += 1_000
    await forecaster.run()
    expect(batches[1]).toMatchObject({ origin: at(21), meters: names })
  })

  test('forecasts each of a few origins that close together, and of many only the latest', async () => {
    const { models, forecaster, batches, append } = create(all(20))
    models.activate(echo())
    await forecaster.run()
    for (const meter of names) append(meter, 23)
    await forecaster.run()
    for (const meter of names) append(meter, 60)
    await forecaster.run()
    expect(batches.map(({ origin }) => origin)).toEqual([at(20), at(21), at(22), at(23), at(60)])
    expect(forecaster.counts().originsSkipped).toBe(36)
  })

  test('never looks past the origin it forecasts', async () => {
    const { models, forecaster, batches, append } = create(all(20))
    models.activate(echo())
    await forecaster.run()
    for (const meter of names) append(meter, 22)
    await forecaster.run()
    expect(batches[1]?.features.slice(0, 8)).toEqual(Float32Array.of(20, 19, 18, 17, 16, 15, 14, 13))
  })

  test('skips and counts a meter with too many gaps', async () => {
    const { models, forecaster, batches } = create({ ...all(20), gone: 3 })
    models.activate(echo())
    await forecaster.run()
    expect(batches[0]?.meters).toEqual(names)
    expect(forecaster.counts()).toMatchObject({ rows: 10, rowsSkipped: 1 })
  })

  test('a new version forecasts the latest origin again, and nothing before it', async () => {
    const { models, forecaster, forecasts, batches } = create(all(20))
    models.activate(echo(1))
    await forecaster.run()
    models.activate(echo(2))
    await forecaster.run()
    expect(batches.map(({ version, origin }) => [version, origin])).toEqual([
      [1, at(20)],
      [2, at(20)],
    ])
    expect(forecasts.list().every(({ version }) => version === 2)).toBe(true)
  })

  test('splits the rows over runs where one block would be too large', async () => {
    const { models, forecaster, batches } = create(all(20), { featureBytesMax: 4 * 8 * 4 })
    models.activate(echo())
    await forecaster.run()
    expect(batches.map(({ meters }) => meters)).toEqual([
      names.slice(0, 4),
      names.slice(4, 8),
      names.slice(8),
    ])
  })

  test('a model that fails does not stop another, and its origin is not tried for ever', async () => {
    const { models, forecaster, batches, failures } = create(all(20))
    models.activate({ ...echo(), run: () => Promise.reject(new Error('broken')) })
    models.activate(echo(1, 'other'))
    await forecaster.run()
    await forecaster.run()
    expect(failures.length).toBe(1)
    expect(batches.map(({ model }) => model)).toEqual(['other'])
    expect(forecaster.counts().failures).toBe(1)
  })

  test('says what closed before it forecasts from there', async () => {
    const { models, forecaster, closed } = create(all(20))
    models.activate(echo())
    await forecaster.run()
    expect(closed).toEqual([{ model: 'load', register, intervalMs, end: at(20) }])
  })
})

describe('interval frontier', () => {
  const frontierOf = (ends: readonly number[], now = 0) => {
    const frontier = createIntervalFrontier({ intervalMs: 1, settleMs: 100 })
    ends.forEach((end, i) => frontier.note(`m${i}`, end, now))
    return frontier
  }

  test('says nothing before the first reading', () => {
    expect(frontierOf([]).closed(0)).toBeUndefined()
  })

  test('most are enough once the next interval has begun', () => {
    expect(frontierOf([9, 10, 10, 10, 10, 10, 10, 10, 10, 11]).closed(0)).toBe(10)
    expect(frontierOf([9, 10, 10, 10, 10, 10, 10, 10, 10, 10]).closed(0)).toBe(9)
  })

  test('does not wait for a meter that fell silent long ago', () => {
    expect(frontierOf([1, 10, 10]).closed(0)).toBe(10)
  })

  test('is not pulled along by a meter whose clock runs far ahead', () => {
    expect(frontierOf([10, 10, 10, 10, 1_000_000]).closed(0)).toBe(10)
  })

  test('keeps to its bound of meters', () => {
    const frontier = createIntervalFrontier({ intervalMs: 1, metersMax: 2 })
    for (const [meter, end] of [
      ['a', 5],
      ['b', 5],
      ['c', 1],
    ] as const)
      frontier.note(meter, end, 0)
    expect(frontier.closed(0)).toBe(5)
  })
})

test('origins due are the ones after the last, and only the latest when they are many', () => {
  expect(originsDue(undefined, 10, 1, 4)).toEqual([10])
  expect(originsDue(7, 10, 1, 4)).toEqual([8, 9, 10])
  expect(originsDue(5, 10, 1, 4)).toEqual([10])
  expect(originsDue(10, 10, 1, 4)).toEqual([])
})

test('only the forecasts renewed last are kept', () => {
  const forecasts = createForecasts({ now: () => 0 }, { forecastsMax: 2 })
  const base = {
    model: 'load',
    version: 1,
    madeBy: { kind: 'baseline', version: 0 } as const,
    origin: 0,
    intervalMs,
    unit: 'kW',
    values: new Float32Array(1),
  }
  for (const meter of ['a', 'b', 'a', 'c']) forecasts.record({ ...base, meter })
  expect(forecasts.list().map(({ meter }) => meter)).toEqual(['a', 'c'])
})

test('a recorded forecast is a copy, and each meter has its own', () => {
  const forecasts = createForecasts({ now: () => 0 })
  const madeBy = { kind: 'baseline', version: 0 } as const
  const base = { model: 'load', version: 1, madeBy, origin: 0, intervalMs, unit: 'kW' }
  const block = Float32Array.of(1, 2)
  forecasts.record({ ...base, meter: 'a', values: block.subarray(0, 1) })
  forecasts.record({ ...base, meter: 'b', values: block.subarray(1, 2) })
  block.fill(9)
  expect(forecasts.list().map(({ values }) => values[0])).toEqual([1, 2])
})

describe('a forecast with quantiles', () => {
  /** The last two readings, with a tenth and ten around them; the meter whose last reading is `bad` has no range. */
  const ranged = (bad = Number.NaN): LoadedModel => ({
    ...echo(),
    contract: tinyContract({ features: 8, horizon: 2, intervalMs, register, quantiles: [0.1, 0.9] }),
    run: async (features, rows, into, quantilesInto) => {
      const values = await echo().run(features, rows)
      into?.set(values)
      for (let row = 0; row < rows; row++) {
        const own = values.subarray(row * 2, row * 2 + 2)
        const shift = own[0] === bad ? Number.NaN : 1
        quantilesInto?.set(
          [...own.map((value) => value - shift), ...own.map((value) => value + shift)],
          row * 4,
        )
      }
      return values
    },
  })

  test('says both for every meter, from one run', async () => {
    const { models, forecaster, forecasts, batches } = create(all(20))
    models.activate(ranged())
    await forecaster.run()
    expect(forecaster.counts().runs).toBe(1)
    expect(batches[0]?.quantiles?.values.length).toBe(40)
    const [first] = forecasts.list({ meter: 'm3' })
    expect([...(first?.values ?? [])]).toEqual([19, 18])
    expect(first?.quantiles?.probabilities).toEqual([0.1, 0.9])
    expect([...(first?.quantiles?.values ?? [])]).toEqual([18, 17, 20, 19])
  })

  test('is kept without its range where that is no number', async () => {
    const { models, forecaster, forecasts, failures } = create({ m0: 20, m1: 20 })
    models.activate(ranged(19))
    await forecaster.run()
    expect(failures).toEqual([])
    expect(forecasts.list().map(({ values, quantiles }) => [[...values], quantiles])).toEqual([
      [[19, 18], undefined],
      [[19, 18], undefined],
    ])
  })

  test('is a copy, and knows its age', () => {
    let now = 5
    const forecasts = createForecasts({ now: () => now })
    const values = Float32Array.of(1, 2)
    const quantiles = { probabilities: [0.5], values: Float32Array.of(3, 4) }
    forecasts.record({
      model: 'load',
      version: 1,
      madeBy: { kind: 'baseline', version: 0 },
      meter: 'm',
      origin: 0,
      intervalMs,
      unit: 'kW',
      values,
      quantiles,
    })
    quantiles.values.fill(0)
    now = 12
    const [listed] = forecasts.list()
    expect(listed?.ageMs).toBe(7)
    expect([...(listed?.quantiles?.values ?? [])]).toEqual([3, 4])
  })
})
