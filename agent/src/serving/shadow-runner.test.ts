import { describe, expect, test } from 'vitest'
import { createFeatureBuilder } from '@imlma/protocol/features'
import type { Contract } from '@imlma/protocol/manifest'
import { createActiveModels } from './active-models.ts'
import type { ForecastBatch } from './forecaster.ts'
import type { LoadedModel } from './serving.ts'
import { createShadowRunner, type PairedForecasts } from './shadow-runner.ts'
import { tinyContract } from './testing/tiny-contract.ts'

const intervalMs = 900_000
const contract = tinyContract({ features: 2, horizon: 3 })

/** Answers, for each row, its last feature in all steps; `forecast` overrules it. */
const challenger = (
  changes: Partial<LoadedModel> = {},
  forecast: (feature: number) => number = (feature) => feature,
): LoadedModel => ({
  model: 'load',
  version: 4,
  sha256: 'b'.repeat(64),
  contract,
  run: (features, rows, into) => {
    const { horizon } = changes.contract ?? contract
    const values = into ?? new Float32Array(rows * horizon)
    const columns = features.length / rows
    for (let i = 0; i < values.length; i++) {
      values[i] = forecast(features[Math.floor(i / horizon) * columns] as number)
    }
    return Promise.resolve(values)
  },
  close: () => Promise.resolve(),
  ...changes,
})

/** The champion forecast 100 × row + step for every meter. */
const batchOf = (meters: readonly string[], origin = 96 * intervalMs): ForecastBatch => ({
  model: 'load',
  version: 3,
  sha256: 'a'.repeat(64),
  register: contract.register,
  builder: createFeatureBuilder(contract.features),
  origin,
  meters,
  features: new Float32Array(meters.length * 2),
  values: Float32Array.from({ length: meters.length * 3 }, (_, i) => 100 * Math.floor(i / 3) + (i % 3) + 1),
})
const namesOf = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`)

const createWorld = (rests: () => Promise<void> = () => Promise.resolve()) => {
  const models = createActiveModels({ load: () => Promise.reject(new Error('not here')), now: () => 0 })
  const pairs: PairedForecasts[] = []
  const batches: ForecastBatch[] = []
  const failures: unknown[] = []
  const reads: string[] = []
  const runner = createShadowRunner(
    {
      models,
      history: {
        // Meter `m7` always reads 7; what is called a gap has none.
        read: (meter, _register, interval, start, end) => {
          reads.push(meter)
          const values = new Float32Array((end - start) / interval)
          return { intervalMs: interval, start, values: values.fill(Number(meter.slice(1))) }
        },
        readCovariate: (_register, interval, start) => ({
          intervalMs: interval,
          start,
          values: new Float32Array(0),
        }),
      },
      rest: rests,
      steps: () => [1, 3],
      onBatch: (batch) => batches.push({ ...batch, values: batch.values.slice() }),
      onPaired: (paired) => pairs.push(paired),
      onFailed: (_model, cause) => failures.push(cause),
    },
    { rowsPerRun: 4, rowsPerTurn: 2, valuesMax: 20 },
  )
  return { models, runner, pairs, batches, failures, reads }
}

describe('a challenger in shadow', () => {
  test('forecasts what the champion has forecast: same origin, meters and steps, side by side', async () => {
    const { models, runner, pairs, batches } = createWorld()
    models.activate(challenger())
    runner.note(batchOf(namesOf(6)))
    await runner.idle()
    expect(pairs.map(({ meters }) => meters)).toEqual([
      ['m0', 'm1', 'm2', 'm3'],
      ['m4', 'm5'],
    ])
    expect(pairs[1]).toEqual({
      model: 'load',
      champion: 3,
      challenger: { model: 'load', version: 4, sha256: 'b'.repeat(64) },
      intervalMs,
      origin: 96 * intervalMs,
      meters: ['m4', 'm5'],
      steps: [1, 3],
      championValues: Float32Array.of(401, 403, 501, 503),
      challengerValues: Float32Array.of(4, 4, 5, 5),
    })
    expect(batches[1]).toMatchObject({ version: 4, meters: ['m4', 'm5'], origin: 96 * intervalMs })
    expect(runner.counts()).toMatchObject({ runs: 2, rows: 6, failures: 0 })
  })

  test('runs nothing before the champions rest, and gives way between a few rows', async () => {
    let release = (): void => undefined
    const { models, runner, reads } = createWorld(() => new Promise((resolve) => (release = resolve)))
    models.activate(challenger())
    runner.note(batchOf(namesOf(5)))
    const readsAt: number[] = []
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    for (let round = 0; round < 8; round += 1) {
      await turn()
      readsAt.push(reads.length)
      release()
    }
    await runner.idle()
    expect(readsAt).toEqual([0, 2, 4, 5, 5, 5, 5, 5])
  })

  test('keeps its pairs when its values are no numbers, and when its runs fail', async () => {
    const { models, runner, pairs, failures, batches } = createWorld()
    models.activate(challenger({}, (feature) => (feature === 1 ? Number.NaN : feature)))
    runner.note(batchOf(namesOf(2)))
    await runner.idle()
    expect(pairs[0]?.challengerValues).toEqual(Float32Array.of(0, 0, Number.NaN, Number.NaN))
    models.activate(challenger({ run: () => Promise.reject(new Error('broken')) }))
    runner.note(batchOf(namesOf(5)))
    await runner.idle()
    expect(pairs.slice(1).flatMap(({ challengerValues }) => [...challengerValues])).toEqual(
      Array.from({ length: 10 }, () => Number.NaN),
    )
    expect(failures).toHaveLength(1)
    expect(runner.counts().failures).toBe(2)
    expect(batches).toHaveLength(1)
  })

  test('compares as far as both forecast, and nothing where they forecast another series', async () => {
    const { models, runner, pairs } = createWorld()
    const other = (changes: Partial<Contract>) => challenger({ contract: { ...contract, ...changes } })
    models.activate(other({ register: '1-0:2.8.0' }))
    runner.note(batchOf(namesOf(2)))
    models.activate(other({ intervalMs: 2 * intervalMs }))
    runner.note(batchOf(namesOf(2)))
    await runner.idle()
    expect(pairs).toEqual([])
    expect(runner.counts()).toMatchObject({ rows: 0, rowsUnlike: 4 })
  })

  test('that is too slow loses the oldest origins, and they are counted', async () => {
    const { models, runner, pairs } = createWorld()
    models.activate(challenger())
    for (let origin = 1; origin <= 5; origin += 1) runner.note(batchOf(namesOf(4), origin * intervalMs))
    await runner.idle()
    // Two origins of 4 meters × 2 steps fit 20 values.
    expect(pairs.map(({ origin }) => origin / intervalMs)).toEqual([4, 5])
    expect(runner.counts().rowsDropped).toBe(12)
  })

  test('that ends while it runs is run no further', async () => {
    const { models, runner, pairs } = createWorld()
    models.activate(
      challenger({
        run: (_features, rows, into) => {
          models.deactivate('load')
          return Promise.resolve(into ?? new Float32Array(rows * 3))
        },
      }),
    )
    runner.note(batchOf(namesOf(9)))
    await runner.idle()
    expect(pairs).toHaveLength(1)
    runner.note(batchOf(namesOf(9)))
    await runner.idle()
    expect(pairs).toHaveLength(1)
  })

  test('is not run for models that have none, or after the stop', async () => {
    const { models, runner, reads } = createWorld()
    runner.note(batchOf(namesOf(2)))
    models.activate(challenger())
    await runner.stop()
    runner.note(batchOf(namesOf(2)))
    await runner.idle()
    expect(reads).toEqual([])
  })
})
