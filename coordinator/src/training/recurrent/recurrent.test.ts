import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { metricsOf } from '@imlma/protocol/metrics'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createRandom } from '../../tuning/random.ts'
import type { Examples } from '../examples.ts'
import type { Graph } from '../graph.ts'
import type { FeatureLayout, LearnerParts, TrainingProgress } from '../learner.ts'
import { encodeModel } from '../model.protobuf.ts'
import { parityOf } from '../parity.ts'
import { createLearnerParts } from '../parts.onnx.ts'
import { ridge } from '../ridge.ts'
import { openForecastSession } from '../session.onnx.ts'
import { loadTensorFlow, type LoadedTensorFlow } from '../tensorflow.tfjs.ts'
import { complaintsAbout, howToGetChecker, isCheckerMissing } from '../testing/model-checker.ts'
import type { RecurrentPasses } from './engine.ts'
import { recurrent } from './recurrent.ts'

let loaded: LoadedTensorFlow | undefined
let parts: LearnerParts
let folder = ''
beforeAll(async () => {
  loaded = await loadTensorFlow()
  parts = await createLearnerParts()
  folder = await mkdtemp(join(tmpdir(), 'imlma-recurrent-'))
})
beforeEach((context) =>
  context.skip(loaded === undefined, 'TensorFlow.js is not installed: pnpm install brings it'),
)
afterAll(() => rm(folder, { recursive: true }))

const [horizon, lags] = [2, 10]
/** A level, a deviation, lags, and a column of each step's own. */
const layout: FeatureLayout = {
  count: 2 + lags + horizon,
  sharedCount: 2 + lags,
  stepCount: 1,
  horizon,
  names: [
    'mean of 24',
    'deviation of 24',
    ...Array.from({ length: lags }, (_, i) => `lag ${i + 1}`),
    'step 1 weather',
    'step 2 weather',
  ],
  roles: ['level', 'spread', ...Array.from({ length: lags }, () => 'level' as const), 'plain', 'plain'],
}

/** Meters whose size differs a hundredfold: a memory that products of neighbours feed, which no line follows. Noise: 0.1 scales. */
const examplesOf = (rows: number, seed: number): Examples => {
  const random = createRandom(seed)
  const features = new Float32Array(rows * layout.count)
  const targets = new Float32Array(rows * horizon)
  for (let row = 0; row < rows; row++) {
    const level = 10 ** (1 + Math.abs(random.normal()))
    const scale = 0.2 * level
    const values = Float64Array.from({ length: lags }, () => random.normal())
    const weather = [random.normal(), random.normal()]
    const memory = values.reduce((kept, x, i) => 0.6 * kept + x * (values[i - 1] ?? 0), 0)
    const columns = values.toReversed().map((x) => level + scale * x)
    features.set([level, scale, ...columns, ...weather], row * layout.count)
    for (let step = 0; step < horizon; step++) {
      const shape = memory + 0.5 * (weather[step] as number) + 0.1 * random.normal()
      targets[row * horizon + step] = level + scale * shape
    }
  }
  const dropped = { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 }
  return { rows, features, targets, series: new Uint32Array(rows), origins: new Float64Array(rows), dropped }
}

const task = { builder: layout, train: examplesOf(1_500, 1), validation: examplesOf(400, 2) }
const small = { builder: layout, train: examplesOf(300, 1), validation: examplesOf(100, 2) }
const fresh = examplesOf(300, 3)
const run = { seed: 1, onProgress: () => undefined, signal: new AbortController().signal }
const none = { level: 'none', scale: 'none' }
const quick = { units: 12, head: 12, dropout: 0, batchRows: 64, epochsMax: 2 }
const settings = (wishes: object) => recurrent.parametersSchema.parse({ ...quick, ...wishes })

/** The same engine with something in between. */
const between = (change: (passes: RecurrentPasses) => RecurrentPasses): LearnerParts => ({
  ...parts,
  recurrent: { open: async (...given) => change(await parts.recurrent.open(...given)) },
})

describe('a recurrent network', () => {
  test('learns what no line follows, for meters of every size', async () => {
    const wishes = { epochsMax: 12, learningRate: 2e-2, head: 16, refit: false }
    const { validation } = await recurrent.train(parts, task, settings(wishes), run)
    const line = await ridge.train(parts, task, ridge.parametersSchema.parse({ refit: false }), run)
    expect(metricsOf(validation).mse).toBeLessThan(0.25 * (metricsOf(line.validation).mse ?? 0))
  })

  test.each([
    { base: 'ridge' },
    { base: 'none', stepsMax: 4, head: 0, dropout: 0.2 },
    { base: 'none', normalisation: { level: 'last', scale: 'none' }, loss: 'huber' },
    { base: 'none', normalisation: none, refit: false },
  ])('is a file that forecasts as its trainer does: %o', async (wishes) => {
    const model = await recurrent.train(parts, small, settings(wishes), run)
    const bytes = encodeModel(model.graph)
    expect(bytes.length).toBeLessThan(25_000)
    const path = join(folder, 'model.onnx')
    await writeFile(path, bytes)
    const session = await openForecastSession(path)
    const exported = await session.run(fresh.features, fresh.rows)
    await session.close()
    expect(parityOf(exported, await model.forecast(fresh.features, fresh.rows), horizon)).toBeLessThan(1e-5)
    expect(model.graph.nodes.filter(({ operator }) => operator === 'GRU')).toHaveLength(1)
    expect(model.graph.nodes.map(({ operator }) => operator)).not.toContain('Dropout')
  })

  test.each([
    { base: 'ridge' },
    { base: 'none' },
    { base: 'none', normalisation: { level: 'none', scale: 'deviation' } },
  ])('forecasts a meter that is 64 times larger 64 times higher: %o', async (wishes) => {
    const model = await recurrent.train(parts, small, settings(wishes), run)
    const larger = fresh.features.map((value, i) =>
      layout.roles[i % layout.count] === 'plain' ? value : 64 * value,
    )
    const expected = Array.from(await model.forecast(fresh.features, fresh.rows), (value) => 64 * value)
    expect(parityOf(await model.forecast(larger, fresh.rows), expected, horizon)).toBeLessThan(1e-5)
  })

  test('passes ONNX’s full check in every form', async (context) => {
    context.skip(isCheckerMissing, howToGetChecker)
    const graphs = new Map<string, Graph>()
    for (const wishes of [{}, { base: 'none', head: 0 }, { base: 'none', normalisation: none }])
      graphs.set(JSON.stringify(wishes), (await recurrent.train(parts, small, settings(wishes), run)).graph)
    expect(await complaintsAbout(graphs)).toEqual({})
  })

  test('whose file would not answer as TensorFlow.js does is refused', async () => {
    const lying = between((passes) => ({
      ...passes,
      forecast: async (...given) => (await passes.forecast(...given)).map((value) => value + 1e-4),
    }))
    await expect(recurrent.train(lying, small, settings({}), run)).rejects.toMatchObject({ code: 'PARITY' })
  })

  test('is the same twice and another with another seed', async () => {
    const bytesOf = async (seed: number) =>
      encodeModel((await recurrent.train(parts, small, settings({ dropout: 0.2 }), { ...run, seed })).graph)
    const [first, second, other] = [await bytesOf(1), await bytesOf(1), await bytesOf(2)]
    expect(second).toEqual(first)
    expect(other).not.toEqual(first)
  })

  test('leaves no tensors behind', async () => {
    const { tf } = loaded as LoadedTensorFlow
    const before = tf.memory()
    await recurrent.train(parts, small, settings({}), run)
    expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([before.numTensors, before.numBytes])
  })

  test('reports every epoch on its way to the end', async () => {
    const seen: TrainingProgress[] = []
    const watched = { ...run, onProgress: (progress: TrainingProgress) => void seen.push(progress) }
    const wishes = { epochsMax: 3, patience: 3, base: 'none' }
    const { parameters } = await recurrent.train(parts, small, settings(wishes), watched)
    const fractions = seen.map(({ fraction }) => fraction)
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(seen.filter(({ phase }) => phase === 'train')).toHaveLength(3)
    expect(seen.filter(({ phase }) => phase === 'refit')).toHaveLength((parameters.epochsKept ?? 0) + 1)
    expect(seen.every(({ loss = 0 }) => Number.isFinite(loss))).toBe(true)
    expect(fractions.at(-1)).toBe(1)
  })

  test('stops at the next batch when it is aborted', async () => {
    const abort = new AbortController()
    let batches = 0
    const counting = between((passes) => ({
      ...passes,
      lossAndGradient: (...given) => {
        batches += 1
        if (batches === 2) abort.abort(new Error('enough'))
        return passes.lossAndGradient(...given)
      },
    }))
    const training = recurrent.train(counting, small, settings({}), { ...run, signal: abort.signal })
    await expect(training).rejects.toThrow('enough')
    expect(batches).toBe(2)
  })

  test('looks at no more rows per epoch than it may', async () => {
    let batches = 0
    const counting = between((passes) => ({
      ...passes,
      lossAndGradient: (...given) => {
        batches += 1
        return passes.lossAndGradient(...given)
      },
    }))
    await recurrent.train(counting, small, settings({ epochRowsMax: 128, refit: false }), run)
    expect(batches).toBe(2 * 2)
  })

  test('stops early where the validation part has had enough, and keeps its best epoch', async () => {
    const shuffled = { ...small, train: { ...small.train, targets: small.train.targets.toReversed() } }
    const wishes = { epochsMax: 40, patience: 2, learningRate: 3e-2, refit: false, base: 'none' }
    const seen: TrainingProgress[] = []
    const watched = { ...run, onProgress: (progress: TrainingProgress) => void seen.push(progress) }
    const { parameters } = await recurrent.train(parts, shuffled, settings(wishes), watched)
    expect(seen.filter(({ phase }) => phase === 'train')).toHaveLength((parameters.epochsKept ?? 0) + 2)
    expect(parameters.epochsKept).toBeLessThan(20)
  })

  test('refuses features with missing values, and features without a sequence', async () => {
    const features = small.train.features.slice()
    features[7] = Number.NaN
    const holed = { ...small, train: { ...small.train, features } }
    await expect(recurrent.train(parts, holed, settings({}), run)).rejects.toMatchObject({
      code: 'BAD_PARAMETERS',
    })
    const names = layout.names.map((name) => name.replace('lag', 'delay'))
    const flat = { ...small, builder: { ...layout, names } }
    await expect(recurrent.train(parts, flat, settings({}), run)).rejects.toMatchObject({
      code: 'FEATURES_MISSING',
    })
  })
})
