import type { Tensor2D } from '@tensorflow/tfjs'
import { expect, test } from 'vitest'
import { createRandom } from '../../tuning/random.ts'
import { loadTensorFlow } from '../tensorflow.tfjs.ts'
import type { ActivationName } from './activations.ts'
import { adamDefaults, adamScalars } from './adam.ts'
import { dense, denseParameters } from './dense.ts'
import { epochGraph } from './epoch-graph.ts'
import { slice, unsqueeze } from './layout-operators.ts'
import { absoluteLoss, huberLoss, pinballLoss, squaredLoss } from './losses.ts'
import { initialWeights } from './parameters.ts'
import type { Problem } from './problem.ts'
import { createGraphSessions } from './session.onnx.ts'

const tensorFlow = await loadTensorFlow()

const [inputs, hidden, outputs, batch, steps] = [6, 16, 2, 32, 20]
const shapes = [[inputs, hidden], [hidden], [hidden, hidden], [hidden], [hidden, outputs], [outputs]]
const rate = 1e-2

/** One per output. */
const probabilities = [0.2, 0.7]

interface Case {
  readonly activation: ActivationName
  readonly loss: 'squared' | 'absolute' | 'Huber' | 'pinball'
}

const problemOf = ({ activation, loss }: Case): Problem => ({
  name: 'compared',
  features: inputs,
  targets: outputs,
  parameters: denseParameters([inputs, hidden, hidden, outputs]),
  loss: (graph, { features, targets }, parameters) => {
    const forecast = dense(graph, features, parameters, { layers: 3, activation })
    if (loss === 'squared') return squaredLoss(graph, forecast, targets)
    if (loss === 'pinball') {
      const actual = unsqueeze(graph, slice(graph, targets, 1, 0, 1), [1])
      return pinballLoss(graph, unsqueeze(graph, forecast, [2]), actual, probabilities)
    }
    return loss === 'absolute'
      ? absoluteLoss(graph, forecast, targets)
      : huberLoss(graph, forecast, targets, 1)
  },
})

const cases: readonly Case[] = [
  { activation: 'relu', loss: 'squared' },
  { activation: 'tanh', loss: 'Huber' },
  { activation: 'elu', loss: 'absolute' },
  { activation: 'sigmoid', loss: 'squared' },
  { activation: 'softplus', loss: 'Huber' },
  { activation: 'silu', loss: 'pinball' },
  { activation: 'gelu', loss: 'squared' },
  { activation: 'leaky-relu', loss: 'absolute' },
]

test.for(cases)(
  'twenty steps of Adam with $activation and $loss loss are those of TensorFlow.js',
  async (one, context) => {
    context.skip(tensorFlow === undefined, 'TensorFlow.js is not installed: it is an optional dependency')
    const { tf } = tensorFlow as NonNullable<typeof tensorFlow>
    const problem = problemOf(one)
    const random = createRandom(4)
    const features = Float32Array.from({ length: 200 * inputs }, () => random.normal())
    const targets = Float32Array.from({ length: 200 * outputs }, () => random.normal())
    const order = Int32Array.from({ length: steps * batch }, () => random.below(200))
    const weights = initialWeights(problem.parameters, createRandom(8))

    const session = await createGraphSessions().open(epochGraph(problem, batch, adamDefaults))
    const list = (values: readonly number[] | Float32Array) => ({
      shape: [values.length],
      values: Float32Array.from(values),
    })
    const scalars = Array.from({ length: steps }, (_, i) => adamScalars(i + 1, rate, adamDefaults))
    const ours = await session.run({
      steps: { shape: [], values: BigInt64Array.of(BigInt(steps)) },
      weights: list(weights),
      first: list(new Float32Array(weights.length)),
      second: list(new Float32Array(weights.length)),
      features: { shape: [200, inputs], values: features },
      targets: { shape: [200, outputs], values: targets },
      order: { shape: [steps, batch], values: order },
      rate: list(scalars.map((step) => step.rate)),
      firstScale: list(scalars.map((step) => step.firstScale)),
      secondScale: list(scalars.map((step) => step.secondScale)),
    })
    await session.close()

    let at = 0
    const variables = shapes.map((shape) => {
      const size = shape.reduce((product, length) => product * length, 1)
      return tf.variable(tf.tensor(weights.slice(at, (at += size)), shape))
    })
    const optimizer = tf.train.adam(rate, adamDefaults.beta1, adamDefaults.beta2, adamDefaults.epsilon)
    const [allFeatures, allTargets] = [
      tf.tensor2d(features, [200, inputs]),
      tf.tensor2d(targets, [200, outputs]),
    ]
    const losses: number[] = []
    for (let step = 0; step < steps; step++) {
      const rows = tf.tensor1d(order.subarray(step * batch, (step + 1) * batch), 'int32')
      const loss = optimizer.minimize(
        () => {
          const [w1, b1, w2, b2, w3, b3] = variables as never as [never, never, never, never, never, never]
          const act = {
            relu: tf.relu,
            'leaky-relu': (x: Tensor2D) => tf.leakyRelu(x, 0.01),
            elu: tf.elu,
            tanh: tf.tanh,
            sigmoid: tf.sigmoid,
            softplus: tf.softplus,
            gelu: (x: Tensor2D) => {
              const inner = tf.mul(tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI))
              return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1))
            },
            silu: (x: Tensor2D) => tf.mul(x, tf.sigmoid(x)),
          }[one.activation]
          const first = act(tf.add(tf.matMul(tf.gather(allFeatures, rows), w1), b1))
          const second = act(tf.add(tf.matMul(first, w2), b2))
          const forecast = tf.add(tf.matMul(second, w3), b3)
          const actual = tf.gather(allTargets, rows)
          if (one.loss === 'squared') return tf.losses.meanSquaredError(actual, forecast)
          if (one.loss === 'pinball') {
            const error = tf.sub(tf.slice(actual, [0, 0], [-1, 1]), forecast)
            const below = probabilities.map((share) => share - 1)
            return tf.mean(tf.maximum(tf.mul(error, probabilities), tf.mul(error, below)))
          }
          return one.loss === 'absolute'
            ? tf.losses.absoluteDifference(actual, forecast)
            : tf.losses.huberLoss(actual, forecast)
        },
        true,
        variables,
      )
      losses.push(loss?.dataSync()[0] as number)
    }
    const theirs = Float32Array.from(variables.flatMap((variable) => [...variable.dataSync()]))
    tf.disposeVariables()

    const gapOf = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] as number))))
    expect(gapOf(ours['nextWeights'] as Float32Array, weights)).toBeGreaterThan(0.05)
    expect(gapOf(ours['nextWeights'] as Float32Array, theirs)).toBeLessThan(1e-4)
    expect(gapOf(ours['losses'] as Float32Array, losses)).toBeLessThan(1e-4)
  },
)
