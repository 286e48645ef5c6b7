import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Failure } from '@imlma/protocol/result'
import { createActiveModels } from './active-models.ts'
import { loadModel } from './session.onnx.ts'
import type { LoadedModel, ModelIdentity, RunObservation, Serving } from './serving.ts'
import { tinyContract } from './testing/tiny-contract.ts'
import { encodeTinyModel, layersOf } from './testing/tiny-model.ts'

const contract = tinyContract({ features: 8, horizon: 2 })
const identity = (version: number): ModelIdentity => ({
  model: 'load',
  version,
  sha256: `${version}`.repeat(64).slice(0, 64),
})
const row = Float32Array.from({ length: 8 }, (_, i) => i)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-serving-'))
  await writeFile(join(folder, 'good.onnx'), encodeTinyModel({ layers: layersOf([8, 2]) }))
  await writeFile(join(folder, 'wide.onnx'), encodeTinyModel({ layers: layersOf([9, 2]) }))
  await writeFile(
    join(folder, 'renamed.onnx'),
    encodeTinyModel({ layers: layersOf([8, 2]), outputName: 'answer' }),
  )
  await writeFile(join(folder, 'torn.onnx'), encodeTinyModel({ layers: layersOf([8, 2]) }).subarray(0, 200))
  const infinite = [{ weights: new Float32Array(16).fill(3e38), bias: new Float32Array(2) }]
  await writeFile(join(folder, 'infinite.onnx'), encodeTinyModel({ layers: infinite }))
})
afterAll(() => rm(folder, { recursive: true }))

/** The same life without a runtime: answers its version, and fails a run after its close. */
const loadFake: Serving['load'] = async (path, named, signed) => {
  await turn()
  if (path.endsWith('torn.onnx')) throw new Failure('LOAD_FAILED', 'torn')
  if (/wide|renamed/.test(path)) throw new Failure('CONTRACT_MISMATCH', 'other tensors')
  let closed = false
  return {
    ...named,
    contract: signed,
    run: async (_, rows) => {
      await turn()
      if (closed) throw new Failure('RUN_FAILED', 'closed')
      return new Float32Array(rows * 2).fill(path.endsWith('infinite.onnx') ? Infinity : 1)
    },
    close: async () => {
      closed = true
    },
  }
}

const implementations: readonly (readonly [string, Serving['load']])[] = [
  ['onnx', loadModel],
  ['fake', loadFake],
]

describe.each(implementations)('serving by %s', (_, load) => {
  const closed: number[] = []
  const create = () =>
    createActiveModels({
      load: async (...args) => {
        const loaded = await load(...args)
        return {
          ...loaded,
          close: () => {
            closed.push(loaded.version)
            return loaded.close()
          },
        }
      },
      now: () => performance.now(),
    })
  const fileOf = (name: string): string => join(folder, name)

  test('a loaded model answers only after it was activated', async () => {
    const serving = create()
    const loaded = await serving.load(fileOf('good.onnx'), identity(1), contract)
    expect(serving.active('load')).toBeUndefined()
    serving.activate(loaded)
    expect(serving.active('load')?.version).toBe(1)
    expect((await serving.active('load')?.run(row, 1))?.length).toBe(2)
    await serving.close()
  })

  test.each(['wide.onnx', 'renamed.onnx'])('%s is refused: the contract says otherwise', async (name) => {
    const refused = create().load(fileOf(name), identity(1), contract)
    await expect(refused).rejects.toMatchObject({ code: 'CONTRACT_MISMATCH' })
  })

  test('a torn file does not load', async () => {
    const refused = create().load(fileOf('torn.onnx'), identity(1), contract)
    await expect(refused).rejects.toMatchObject({ code: 'LOAD_FAILED' })
  })

  test('swaps under load fail no request, and each replaced version closes after its last run', async () => {
    closed.length = 0
    const serving = create()
    serving.activate(await serving.load(fileOf('good.onnx'), identity(1), contract))
    const swaps = new AbortController()
    let answered = 0
    const ask = async (): Promise<void> => {
      while (!swaps.signal.aborted) {
        const active = serving.active('load') as LoadedModel
        expect((await active.run(row, 1)).length).toBe(2)
        answered += 1
      }
    }
    const askers = Array.from({ length: 8 }, ask)
    for (let version = 2; version <= 20; version++) {
      serving.activate(await serving.load(fileOf('good.onnx'), identity(version), contract))
    }
    swaps.abort()
    await Promise.all(askers)
    await serving.close()
    expect(answered).toBeGreaterThan(20)
    expect(closed.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_unused, i) => i + 1))
  })

  test('a leased model stays open when it is replaced', async () => {
    closed.length = 0
    const serving = create()
    serving.activate(await serving.load(fileOf('good.onnx'), identity(1), contract))
    const lease = serving.lease('load')
    serving.activate(await serving.load(fileOf('good.onnx'), identity(2), contract))
    expect(closed).toEqual([])
    expect((await lease?.model.run(row, 1))?.length).toBe(2)
    lease?.release()
    lease?.release()
    expect(closed).toEqual([1])
    expect(serving.models().map(({ version }) => version)).toEqual([2])
    await serving.close()
    expect(closed).toEqual([1, 2])
  })

  test('runs of an active model are observed, runs before its activation are not', async () => {
    const serving = create()
    const seen: RunObservation[] = []
    const stop = serving.onRun((observation) => seen.push(observation))
    const loaded = await serving.load(fileOf('good.onnx'), identity(1), contract)
    await loaded.run(row, 1)
    expect(seen).toEqual([])
    serving.activate(loaded)
    await serving.active('load')?.run(new Float32Array(24), 3)
    stop()
    await serving.active('load')?.run(row, 1)
    expect(seen).toMatchObject([{ model: 'load', version: 1, rows: 3, outcome: 'answered' }])
    await serving.close()
  })

  test('a forecast that is not finite is said to be none', async () => {
    const serving = create()
    const outcomes: string[] = []
    serving.onRun(({ outcome }) => outcomes.push(outcome))
    serving.activate(await serving.load(fileOf('infinite.onnx'), identity(1), contract))
    await serving.active('load')?.run(new Float32Array(8).fill(1e30), 1)
    expect(outcomes).toEqual(['not-finite'])
    await serving.close()
  })

  test('nothing answers after deactivation', async () => {
    const serving = create()
    serving.activate(await serving.load(fileOf('good.onnx'), identity(1), contract))
    const held = serving.active('load')
    serving.deactivate('load')
    expect(serving.active('load')).toBeUndefined()
    await expect(held?.run(row, 1)).rejects.toMatchObject({ code: 'RUN_FAILED' })
  })
})

test('the runtime gives what the weights say', async () => {
  const layers = [{ weights: Float32Array.of(1, 10, 2, 20), bias: Float32Array.of(0.5, -0.5) }]
  await writeFile(join(folder, 'two.onnx'), encodeTinyModel({ layers }))
  const signed = tinyContract({ features: 2, horizon: 2 })
  const loaded = await loadModel(join(folder, 'two.onnx'), identity(1), signed)
  expect([...(await loaded.run(Float32Array.of(1, 1, 2, 3), 2))]).toEqual([3.5, 29.5, 8.5, 79.5])
  const block = new Float32Array(6)
  const into = block.subarray(1, 5)
  expect(await loaded.run(Float32Array.of(1, 1, 2, 3), 2, into)).toBe(into)
  expect([...block]).toEqual([0, 3.5, 29.5, 8.5, 79.5, 0])
  await loaded.close()
})

describe('a model with quantiles', () => {
  const layers = [{ weights: Float32Array.of(1, 10, 2, 20), bias: Float32Array.of(0.5, -0.5) }]
  const signed = tinyContract({ features: 2, horizon: 2, quantiles: [0.1, 0.5, 0.9] })
  const rows = Float32Array.of(1, 1, 2, 3)
  const load = async (contractOf = signed, quantileOffsets: readonly number[] = [-1, 0, 2]) => {
    const path = join(folder, `quantiles-${quantileOffsets.join('_')}.onnx`)
    await writeFile(path, encodeTinyModel({ layers, quantileOffsets }))
    return loadModel(path, identity(1), contractOf)
  }

  test('gives them beside the forecast, in one run', async () => {
    const models = createActiveModels({ load: loadModel, now: () => 0 })
    models.activate(await load())
    const active = models.active('load') as LoadedModel
    const quantiles = new Float32Array(12)
    const into = new Float32Array(4)
    expect(await active.run(rows, 2, into, quantiles)).toBe(into)
    expect([...into]).toEqual([3.5, 29.5, 8.5, 79.5])
    expect([...quantiles]).toEqual([2.5, 28.5, 3.5, 29.5, 5.5, 31.5, 7.5, 78.5, 8.5, 79.5, 10.5, 81.5])
    expect([...(await active.run(rows, 2, undefined, quantiles))]).toEqual([...into])
    expect([...(await active.run(rows, 2))]).toEqual([...into])
    await models.close()
  })

  test.each([
    ['the contract knows no quantiles', tinyContract({ features: 2, horizon: 2 }), [-1, 0, 2]],
    ['the file has none', signed, []],
    ['the file has others', signed, [-1, 2]],
    ['the contract counts others', { ...signed, quantiles: [0.1, 0.9] }, [-1, 0, 2]],
  ])('is refused where %s', async (_, contractOf, offsets) => {
    await expect(load(contractOf, offsets)).rejects.toMatchObject({ code: 'CONTRACT_MISMATCH' })
  })
})
