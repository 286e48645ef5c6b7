import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createRandom } from '../../tuning/random.ts'
import { constantParameters, initialWeights } from '../engine/parameters.ts'
import { createGraphSessions } from '../engine/session.onnx.ts'
import { createGraphBuilder } from '../graph.ts'
import { loadTensorFlow, type LoadedTensorFlow } from '../tensorflow.tfjs.ts'
import { createRecurrentEngine } from './engine.tfjs.ts'
import type { LossName, NetworkSizes, RecurrentEngine, TrainingBatch } from './engine.ts'
import { gru } from './gru.ts'
import { networkParameters } from './network.ts'

const missing = 'TensorFlow.js is not installed: pnpm install brings it'
let loaded: LoadedTensorFlow | undefined
let engine: RecurrentEngine
beforeAll(async () => {
  loaded = await loadTensorFlow()
  engine = createRecurrentEngine()
})

const sizes: NetworkSizes = { steps: 7, inputs: 3, units: 5, rest: 4, head: 6, horizon: 2 }
const rows = 9
const normals = (length: number, seed: number): Float32Array => {
  const random = createRandom(seed)
  return Float32Array.from({ length }, () => random.normal())
}
const batchOf = (own: NetworkSizes): TrainingBatch => ({
  rows,
  sequence: normals(own.steps * rows * own.inputs, 1),
  rest: normals(rows * own.rest, 2),
  targets: normals(rows * own.horizon, 3),
  mask: Float32Array.from({ length: rows * own.units }, (_, i) => (i % 3 === 0 ? 0 : 1.5)),
})
/** Not as small as a network begins: gates that saturate are part of the comparison. */
const weightsOf = (own: NetworkSizes): Float32Array =>
  normals(initialWeights(networkParameters(own), createRandom(1)).length, 4)
const gapOf = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] as number))))

describe('a GRU', () => {
  test('in ONNX Runtime says what the layer of TensorFlow.js says', async (context) => {
    context.skip(loaded === undefined, missing)
    const { tf } = loaded as LoadedTensorFlow
    const { steps, inputs, units } = sizes
    const [input, recurrent, bias] = [
      normals(3 * units * inputs, 5),
      normals(3 * units * units, 6),
      normals(3 * units, 7),
    ]
    // Row-major [steps, rows, inputs].
    const sequence = normals(steps * rows * inputs, 8)

    const graph = createGraphBuilder('gru')
    const specs = [
      { name: 'input', shape: [3 * units, inputs], initial: 'zeros', decays: false },
      { name: 'recurrent', shape: [3 * units, units], initial: 'zeros', decays: false },
      { name: 'bias', shape: [3 * units], initial: 'zeros', decays: false },
    ] as const
    const constants = constantParameters(graph, Float32Array.of(...input, ...recurrent, ...bias), specs)
    const last = gru(
      graph,
      graph.input('sequence', 'float32', [steps, 'batch', inputs]),
      constants as unknown as Parameters<typeof gru>[2],
    )
    const session = await createGraphSessions().open(graph.build([last]))
    const ours = await session.run({ sequence: { shape: [steps, rows, inputs], values: sequence } })
    await session.close()

    const layer = tf.layers.gru({
      units,
      recurrentActivation: 'sigmoid',
      recurrentInitializer: 'zeros',
      inputShape: [steps, inputs],
    })
    const model = tf.sequential({ layers: [layer] })
    const turned = (values: Float32Array, columns: number) =>
      tf.transpose(tf.tensor2d(values, [3 * units, columns]))
    const theirs = tf.tidy(() => {
      model.setWeights([turned(input, inputs), turned(recurrent, units), tf.tensor1d(bias)])
      const x = tf.transpose(tf.tensor3d(sequence, [steps, rows, inputs]), [1, 0, 2])
      return (model.predict(x) as ReturnType<typeof tf.tensor>).dataSync().slice()
    })
    model.dispose()
    expect(Math.max(...theirs.map(Math.abs))).toBeGreaterThan(0.5)
    expect(gapOf(ours[last.name] as Float32Array, theirs)).toBeLessThan(1e-5)
  })

  test('refuses weights that do not fit', () => {
    const graph = createGraphBuilder('gru')
    const value = (name: string, shape: readonly (number | string)[]) => graph.input(name, 'float32', shape)
    const sequence = value('sequence', [7, 'batch', 3])
    const right = {
      input: value('input', [15, 3]),
      recurrent: value('recurrent', [15, 5]),
      bias: value('bias', [15]),
    }
    expect(gru(graph, sequence, right).shape).toEqual(['batch', 5])
    expect(() => gru(graph, sequence, { ...right, input: value('narrow', [15, 2]) })).toThrow('[3U, I]')
    expect(() => gru(graph, sequence, { ...right, recurrent: value('low', [10, 5]) })).toThrow('[3U, U]')
    expect(() => gru(graph, sequence, { ...right, bias: value('twice', [30]) })).toThrow('[3U]')
    expect(() => gru(graph, value('flat', ['batch', 21]), right)).toThrow('[steps, batch, inputs]')
  })
})

describe('a pass of TensorFlow.js', () => {
  beforeEach((context) => context.skip(loaded === undefined, missing))

  const variants: readonly [string, NetworkSizes, LossName][] = [
    ['squared loss', sizes, 'squared'],
    ['Huber loss, a linear head', { ...sizes, head: 0 }, 'huber'],
    ['absolute loss, nothing beside the sequence', { ...sizes, rest: 0 }, 'absolute'],
    ['a single time step', { ...sizes, steps: 1 }, 'squared'],
  ]
  test.each(variants)('gives the slopes of the loss: %s', async (_name, own, loss) => {
    const passes = await engine.open(own, loss)
    const [weights, batch] = [weightsOf(own), batchOf(own)]
    const { gradient } = await passes.lossAndGradient(weights, batch)
    const random = createRandom(11)
    for (let i = 0; i < 12; i++) {
      // Along a random direction, because a difference of float32 losses is too coarse weight by weight.
      const direction = Float32Array.from(weights, () => random.normal())
      const lossAt = async (step: number) =>
        (
          await passes.lossAndGradient(
            weights.map((value, at) => value + step * (direction[at] as number)),
            batch,
          )
        ).loss
      const step = 1e-3
      const measured = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step)
      const told = gradient.reduce((sum, slope, at) => sum + slope * (direction[at] as number), 0)
      expect(Math.abs(measured - told)).toBeLessThan(0.02 * Math.max(1, Math.abs(told)))
    }
  })

  test('keeps no tensors', async () => {
    const { tf } = loaded as LoadedTensorFlow
    const passes = await engine.open(sizes, 'squared')
    const pass = async () => {
      await passes.lossAndGradient(weightsOf(sizes), batchOf(sizes))
      await passes.forecast(weightsOf(sizes), batchOf(sizes))
    }
    const before = tf.memory()
    for (let i = 0; i < 5; i++) await pass()
    expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([before.numTensors, before.numBytes])
  })
})

test('TensorFlow.js that cannot be loaded is a failure that says what to install', async () => {
  const bare = createRecurrentEngine(async () => undefined)
  await expect(bare.open(sizes, 'squared')).rejects.toMatchObject({
    code: 'TENSORFLOW_MISSING',
    hint: expect.stringContaining('@tensorflow/tfjs'),
  })
})
