import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFeatureBuilder } from '@imlma/protocol/features'
import { contractSchema } from '@imlma/protocol/manifest'
import { createActiveModels } from './active-models.ts'
import { createBaseline, forecastedOf, isFactory, type Forecasted } from './baseline.ts'
import { openFactorySeries } from './factory-series.fs.ts'
import { withFactory, type ForecastedSeries } from './factory.ts'
import type { LoadedModel } from './serving.ts'
import { tinyContract } from './testing/index.ts'

const hour = 3_600_000
const forecasted: Forecasted = {
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hour,
  horizon: 6,
  seasonSteps: 4,
}

const forecast = async (values: readonly number[], season = forecasted) => {
  const baseline = createBaseline('load', season)
  const builder = createFeatureBuilder(baseline.contract.features)
  const row = new Float32Array(builder.count)
  const series = { start: 0, intervalMs: hour, values: Float32Array.from(values) }
  const outcome = builder.writeRow(row, 0, series, values.length * hour, [])
  return outcome === 'ok' ? [...(await baseline.run(row, 1))] : outcome
}

describe('the factory version', () => {
  test('has a contract like any other', () => {
    const { contract } = createBaseline('load', forecasted)
    expect(contractSchema.parse(contract)).toEqual(contract)
    expect(forecastedOf(contract)).toEqual(forecasted)
  })

  test('says again what was there a season ago, and once more beyond a season', async () => {
    expect(await forecast([9, 9, 1, 2, 3, 4])).toEqual([1, 2, 3, 4, 1, 2])
  })

  test('forecasts shorter than a season', async () => {
    expect(await forecast([1, 2, 3, 4], { ...forecasted, horizon: 2 })).toEqual([1, 2])
  })

  test('forecasts from the first reading on', async () => {
    expect(await forecast([7])).toEqual([7, 7, 7, 7, 7, 7])
    expect(await forecast([7, 8])).toEqual([7, 7, 7, 8, 7, 7])
    expect(await forecast([Number.NaN])).toBe('too-many-missing')
  })

  test('writes rows where they are wanted', async () => {
    const { run } = createBaseline('load', { ...forecasted, horizon: 2 })
    const into = new Float32Array(4)
    expect(await run(Float32Array.of(1, 2, 3, 4, 5), 2, into)).toBe(into)
    expect([...into]).toEqual([1, 2, 3, 4])
  })
})

describe('models with a factory version', () => {
  const released = (model = 'load'): LoadedModel => ({
    model,
    version: 3,
    sha256: 'a'.repeat(64),
    contract: tinyContract({ features: 4, horizon: 2 }),
    run: async () => new Float32Array(2),
    close: async () => undefined,
  })
  const create = (known: ForecastedSeries) => {
    const learned: ForecastedSeries[] = []
    const load = () => Promise.reject(new Error('nothing is loaded'))
    const active = createActiveModels({ load, now: () => 0 })
    return { learned, models: withFactory({ models: active, known, learn: (each) => learned.push(each) }) }
  }

  test('serve from the start what is known', () => {
    const { models } = create({ load: forecasted })
    expect(models.models().map(({ model, version }) => [model, version])).toEqual([['load', 0]])
  })

  test('serve a released version instead, and the factory version of the same series when it goes', () => {
    const { models, learned } = create({ load: forecasted })
    models.activate(released())
    expect(models.active('load')).toMatchObject({ version: 3 })
    models.deactivate('load')
    const left = models.active('load') as LoadedModel
    expect(isFactory(left)).toBe(true)
    expect(left.contract).toMatchObject({ register: '1-0:1.8.0', intervalMs: 900_000, horizon: 2 })
    expect(learned).toEqual([{ load: forecastedOf(released().contract) }])
  })

  test('let it be asked as the version was that is gone, and leave it where it answers already', async () => {
    const { models } = create({ load: forecasted })
    const gone = released()
    models.activate(gone)
    models.deactivate('load')
    const left = models.active('load') as LoadedModel
    expect(left).toMatchObject({ version: 0, isSubstitute: true, contract: gone.contract })
    const ranges = new Float32Array(2)
    const answer = await left.run(Float32Array.of(1, 2, 3, 4), 1, undefined, ranges)
    expect([...answer].every((value) => [1, 2, 3, 4].includes(value))).toBe(true)
    expect([...ranges]).toEqual([Number.NaN, Number.NaN])
    models.deactivate('load')
    expect(models.active('load')).toBe(left)
  })

  test('go back to a season where the version that is gone knew no past value', () => {
    const { models } = create({})
    const { contract, ...rest } = released()
    const blind = { ...contract, features: { ...contract.features, shared: [], step: [] } }
    models.activate({ ...rest, contract: blind })
    models.deactivate('load')
    expect(models.active('load')?.isSubstitute).toBeUndefined()
    expect(models.active('load')?.contract.contextLength).toBe(contract.features.seasonSteps)
  })

  test('learn a series once', () => {
    const { models, learned } = create({})
    models.activate(released('other'))
    models.activate(released('other'))
    expect(learned).toHaveLength(1)
    models.deactivate('other')
    expect(models.active('other')).toMatchObject({ version: 0 })
  })

  test('serve nothing for a model that nobody knows', () => {
    const { models } = create({})
    models.deactivate('load')
    expect(models.models()).toEqual([])
  })
})

describe('what models forecast', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-factory-'))
  })
  afterEach(() => rm(folder, { recursive: true }))
  const failed = (cause: unknown): never => {
    throw cause
  }

  test('is known again after a restart, before what is configured', async () => {
    const path = join(folder, 'models', 'factory.json')
    const first = await openFactorySeries(path, { load: forecasted, heat: forecasted }, failed)
    expect(first.known).toEqual({ load: forecasted, heat: forecasted })
    const learned = { ...forecasted, horizon: 24 }
    first.learn({ load: learned })
    await first.close()
    const second = await openFactorySeries(path, { load: forecasted, heat: forecasted }, failed)
    expect(second.known).toEqual({ load: learned, heat: forecasted })
  })

  test.each([
    ['torn', '{"load":'],
    ['foreign', '{"load":{"horizon":0}}'],
  ])('a %s file says nothing', async (_, text) => {
    const path = join(folder, 'factory.json')
    await writeFile(path, text)
    const { known } = await openFactorySeries(path, { load: forecasted }, failed)
    expect(known).toEqual({ load: forecasted })
    expect(await readFile(path, 'utf8')).toBe(text)
  })
})
