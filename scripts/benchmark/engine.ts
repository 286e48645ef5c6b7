/**
 * How fast does the engine train? One epoch of 20,000 rows through a perceptron 24-64-64-1 with relu, batches of 256,
 * Adam, on one thread; TensorFlow.js on the same machine beside it, in turns. An epoch is everything it takes:
 * shuffling, learning rates, steps. Processor time is told too, because a busy machine stretches the wall's.
 *
 *   npm run bench -- engine [--json] [--rounds 7]
 */
import { parseArgs } from 'node:util'
import {
  createGraphSessions,
  dense,
  denseParameters,
  fit,
  loadTensorFlow,
  squaredLoss,
  type LoadedTensorFlow,
  type Problem,
} from '@imlma/coordinator/training'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } },
})
const rounds = Number(values.rounds)
const [rows, inputs, hidden, batchRows, learningRate] = [20_000, 24, 64, 256, 1e-3]
/** Per round; the first of them warms up and is not counted. */
const epochs = 4
const bars = { epochMsMax: 25, shareOfTensorFlowMax: 0.1 }

const features = Float32Array.from({ length: rows * inputs }, (_, i) => Math.sin(i * 12.9898) * 1.7)
const targets = Float32Array.from({ length: rows }, (_, i) => {
  const [a, b, c] = features.subarray(i * inputs, i * inputs + 3) as unknown as [number, number, number]
  return Math.sin(a) + b * c
})
const problem: Problem = {
  name: 'benchmark',
  features: inputs,
  targets: 1,
  parameters: denseParameters([inputs, hidden, hidden, 1]),
  loss: (graph, batch, parameters) => {
    const forecast = dense(graph, batch.features, parameters, { layers: 3, activation: 'relu' })
    return squaredLoss(graph, forecast, batch.targets)
  },
}

interface Times {
  readonly wallMs: number
  readonly processorMs: number
}

const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] as number

/** Stamps the end of every epoch; the medians of all but the first. */
const stopwatch = () => {
  const stamps = [{ wall: performance.now(), processor: process.cpuUsage() }]
  return {
    stamp: (): void => void stamps.push({ wall: performance.now(), processor: process.cpuUsage() }),
    times: (): Times => {
      const between = stamps.slice(2).map(({ wall, processor }, i) => {
        const before = stamps[i + 1] as (typeof stamps)[number]
        const { user, system } = processor
        const micros = user + system - before.processor.user - before.processor.system
        return { wallMs: wall - before.wall, processorMs: micros / 1_000 }
      })
      return {
        wallMs: median(between.map(({ wallMs }) => wallMs)),
        processorMs: median(between.map(({ processorMs }) => processorMs)),
      }
    },
  }
}

const sessions = createGraphSessions()
const ours = async (): Promise<Times> => {
  const { stamp, times } = stopwatch()
  const options = {
    epochsMax: epochs,
    batchRows,
    learningRate,
    schedule: 'constant',
    patienceEpochs: epochs,
  } as const
  const run = { seed: 1, signal: new AbortController().signal, onEpoch: stamp }
  await fit(sessions, problem, { train: { rows, features, targets } }, options, run)
  return times()
}

const theirs = async ({ tf }: LoadedTensorFlow): Promise<Times> => {
  const { stamp, times } = stopwatch()
  const layer = (units: number, first: object) =>
    tf.layers.dense({ units, activation: 'relu', kernelInitializer: 'heNormal', ...first })
  const model = tf.sequential({
    layers: [layer(hidden, { inputShape: [inputs] }), layer(hidden, {}), tf.layers.dense({ units: 1 })],
  })
  model.compile({ optimizer: tf.train.adam(learningRate), loss: 'meanSquaredError' })
  const [x, y] = [tf.tensor2d(features, [rows, inputs]), tf.tensor2d(targets, [rows, 1])]
  // The quickest way it has: no validation, no metrics, no turns for the event loop.
  const callbacks = { onEpochEnd: async () => stamp() }
  await model.fit(x, y, {
    epochs,
    batchSize: batchRows,
    shuffle: true,
    yieldEvery: 'never',
    callbacks,
  })
  tf.dispose([x, y])
  model.dispose()
  return times()
}

const tensorFlow = await loadTensorFlow()
const measured: { ours: Times; theirs: Times | undefined }[] = []
for (let round = 0; round < rounds; round++) {
  measured.push({ ours: await ours(), theirs: tensorFlow && (await theirs(tensorFlow)) })
  if (!values.json) console.error(`round ${round + 1} of ${rounds}`)
}

const summary = (times: readonly Times[]) => {
  const [wall, processor] = [times.map(({ wallMs }) => wallMs), times.map(({ processorMs }) => processorMs)]
  const round = (value: number): number => Number(value.toFixed(1))
  return {
    wallMs: round(median(wall)),
    fastestWallMs: round(Math.min(...wall)),
    processorMs: round(median(processor)),
  }
}
const engine = summary(measured.map((one) => one.ours))
const peer = tensorFlow && summary(measured.flatMap((one) => one.theirs ?? []))
const share = peer && median(measured.map((one) => one.ours.wallMs / (one.theirs?.wallMs ?? Number.NaN)))
const held = {
  epoch: engine.wallMs <= bars.epochMsMax,
  share: share === undefined ? undefined : share <= bars.shareOfTensorFlowMax,
}
const result = {
  benchmark: 'engine',
  rounds,
  epochOf: { rows, network: [inputs, hidden, hidden, 1], batchRows },
  engine,
  tensorFlow: tensorFlow && { backend: tensorFlow.backend, version: tensorFlow.tf.version_core, ...peer },
  share: share === undefined ? undefined : Number(share.toFixed(4)),
  bars,
  held,
}
if (values.json) console.log(JSON.stringify(result))
else console.log(JSON.stringify(result, undefined, 2))
process.exitCode = held.epoch && held.share !== false ? 0 : 1
