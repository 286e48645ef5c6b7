import { expect, test } from 'vitest'
import { quantilesOf } from '@imlma/protocol/manifest'
import { Failure } from '@imlma/protocol/result'
import { createActiveModels } from './active-models.ts'
import type { LoadedModel, RunObservation } from './serving.ts'
import { tinyContract } from './testing/tiny-contract.ts'

const contract = tinyContract({ features: 4, horizon: 2 })
const ranged = tinyContract({ features: 4, horizon: 2, quantiles: [0.1, 0.9] })
const row = Float32Array.of(1, 2, 3, 4)

/** Answers its version; fails where it is told to. */
const model = (version: number, { fails = false, signed = contract } = {}) => {
  const closed: number[] = []
  const loaded: LoadedModel = {
    model: 'load',
    version,
    sha256: String(version).repeat(64),
    contract: signed,
    run: async (_, rows, into = new Float32Array(rows * 2), quantilesInto) => {
      if (fails) throw new Failure('RUN_FAILED', 'it hangs')
      if (quantilesOf(signed).length > 0) quantilesInto?.fill(version)
      return into.fill(version)
    },
    close: async () => void closed.push(version),
  }
  return { loaded, closed }
}

const create = () => {
  const models = createActiveModels({ load: () => Promise.reject(new Error('unused')), now: () => 0 })
  const runs: RunObservation[] = []
  models.onRun((run) => runs.push(run))
  const ask = async (quantilesInto?: Float32Array) => {
    const lease = models.lease('load')
    const answered = await lease?.answer(row, 1, undefined, quantilesInto)
    lease?.release()
    return answered
  }
  return { models, runs, ask }
}

test('the stand-in answers what the active version fails to, and both runs are observed', async () => {
  const { models, runs, ask } = create()
  models.activate(model(2, { fails: true }).loaded)
  models.standIn('load', model(1).loaded)
  expect(await ask()).toEqual({
    values: Float32Array.of(1, 1),
    madeBy: { kind: 'model', version: 1, sha256: '1'.repeat(64) },
  })
  expect(runs).toMatchObject([
    { version: 2, outcome: 'failed' },
    { version: 1, outcome: 'answered' },
  ])
  expect(models.stoodIn()).toEqual({ model: 1, baseline: 0 })
})

test('the stand-in is not asked while the active version answers', async () => {
  const { models, runs, ask } = create()
  models.activate(model(2).loaded)
  models.standIn('load', model(1).loaded)
  expect(await ask()).toMatchObject({ madeBy: { version: 2 } })
  expect(runs).toHaveLength(1)
})

test('where both fail, or the stand-in reads other rows, the baseline answers', async () => {
  const others = tinyContract({ features: 4, horizon: 2, seasonSteps: 3 })
  for (const standIn of [undefined, model(1, { fails: true }), model(1, { signed: others })]) {
    const { models, ask } = create()
    models.activate(model(2, { fails: true }).loaded)
    models.standIn('load', standIn?.loaded)
    expect(await ask()).toEqual({ values: Float32Array.of(4, 3), madeBy: { kind: 'baseline', version: 0 } })
    expect(models.stoodIn()).toEqual({ model: 0, baseline: 1 })
  }
})

test('quantiles that nobody made are no numbers', async () => {
  const { models, ask } = create()
  models.activate(model(2, { fails: true, signed: ranged }).loaded)
  const quantiles = new Float32Array(4).fill(7)
  models.standIn('load', model(1, { signed: ranged }).loaded)
  await ask(quantiles)
  expect([...quantiles]).toEqual([1, 1, 1, 1])
  models.standIn('load', model(1).loaded)
  expect(await ask(quantiles)).toMatchObject({ madeBy: { version: 1 } })
  expect(quantiles.every(Number.isNaN)).toBe(true)
})

test('a model whose rows hold no past is refused where nobody else answers', async () => {
  const { models, ask } = create()
  const timeless = { ...contract, features: { ...contract.features, shared: [] } }
  models.activate(model(2, { fails: true, signed: timeless }).loaded)
  await expect(ask()).rejects.toMatchObject({ code: 'RUN_FAILED' })
})

test('a stand-in that is replaced or not wanted any more is closed, once its run is over', async () => {
  const { models } = create()
  const [first, second] = [model(1), model(3)]
  models.standIn('load', first.loaded)
  models.standIn('load', first.loaded)
  expect(first.closed).toEqual([])
  models.standIn('load', second.loaded)
  expect(first.closed).toEqual([1])
  models.standIn('load', undefined)
  expect(second.closed).toEqual([3])
})
