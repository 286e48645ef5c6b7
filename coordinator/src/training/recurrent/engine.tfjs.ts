/**
 * Passes by TensorFlow.js: native where the operator has installed it, else WASM. Weights come in and slopes go out as
 * plain lists, so that nothing of TensorFlow.js outlives a pass. A pass blocks the event loop; after it the loop gets its turn.
 */
import { setImmediate } from 'node:timers/promises'
import { Failure } from '@imlma/protocol/result'
import type * as TensorFlow from '@tensorflow/tfjs'
import { loadTensorFlow, type LoadedTensorFlow } from '../tensorflow.tfjs.ts'
import type { Batch, LossName, NetworkSizes, RecurrentEngine, TrainingBatch } from './engine.ts'
import { gruOver } from './gru.tfjs.ts'
import { headLayers, networkParameters } from './network.ts'

type Matrix = TensorFlow.Tensor2D

/** TensorFlow.js is loaded when a network is first opened: most trainings do without it. */
export const createRecurrentEngine = (
  load: () => Promise<LoadedTensorFlow | undefined> = loadTensorFlow,
): RecurrentEngine => {
  let loading: ReturnType<typeof load> | undefined
  return {
    open: async (sizes, loss) => {
      const loaded = await (loading ??= load())
      if (loaded === undefined) throw missing()
      const { tf } = loaded
      return {
        lossAndGradient: async (weights, batch) => {
          const result = tf.tidy(() => lossAndGradient(tf, sizes, loss, weights, batch))
          await setImmediate()
          return result
        },
        forecast: async (weights, batch) => {
          const result = tf.tidy(() => {
            const answer = answerOf(tf, sizes, batch, null)(...tensorsOf(tf, sizes, weights))
            return answer.dataSync().slice() as Float32Array
          })
          await setImmediate()
          return result
        },
      }
    },
  }
}

const missing = (): Failure =>
  new Failure('TENSORFLOW_MISSING', 'the recurrent learner needs TensorFlow.js, which cannot be loaded', {
    hint: 'install @tensorflow/tfjs with @tensorflow/tfjs-backend-wasm or @tensorflow/tfjs-node beside the coordinator, or choose the learner perceptron',
  })

const lossAndGradient = (
  tf: typeof TensorFlow,
  sizes: NetworkSizes,
  loss: LossName,
  weights: Float32Array,
  batch: TrainingBatch,
): { readonly loss: number; readonly gradient: Float32Array } => {
  const targets = tf.tensor2d(batch.targets, [batch.rows, sizes.horizon])
  const answer = answerOf(tf, sizes, batch, batch.mask)
  const lossOf = (...parameters: TensorFlow.Tensor[]): TensorFlow.Scalar =>
    meanLoss(tf, loss, tf.sub(answer(...parameters), targets))
  const { value, grads } = tf.valueAndGrads(lossOf)(tensorsOf(tf, sizes, weights))
  const gradient = new Float32Array(weights.length)
  let at = 0
  for (const slope of grads) {
    gradient.set(slope.dataSync(), at)
    at += slope.size
  }
  return { loss: value.dataSync()[0] as number, gradient }
}

const meanLoss = (tf: typeof TensorFlow, loss: LossName, errors: TensorFlow.Tensor): TensorFlow.Scalar => {
  if (loss === 'squared') return tf.mean(tf.square(errors))
  const sizesOfErrors = tf.abs(errors)
  if (loss === 'absolute') return tf.mean(sizesOfErrors)
  const near = tf.minimum(sizesOfErrors, 1)
  return tf.mean(tf.add(tf.mul(tf.square(near), 0.5), tf.sub(sizesOfErrors, near)))
}

/** The network as a function of its weights. */
const answerOf = (
  tf: typeof TensorFlow,
  sizes: NetworkSizes,
  { rows, sequence, rest }: Batch,
  mask: Float32Array | null,
): ((...parameters: TensorFlow.Tensor[]) => Matrix) => {
  const { inputs, units } = sizes
  const steps = Array.from({ length: sizes.steps }, (_, step) =>
    tf.tensor2d(sequence.subarray(step * rows * inputs, (step + 1) * rows * inputs), [rows, inputs]),
  )
  const others = sizes.rest === 0 ? undefined : tf.tensor2d(rest, [rows, sizes.rest])
  const product = quickProduct(tf)
  return (...parameters) => {
    const [input, recurrent, bias, ...head] = parameters as [Matrix, Matrix, TensorFlow.Tensor1D, ...Matrix[]]
    const state = gruOver(tf, steps, units)(input, recurrent, bias)
    const seen: Matrix = mask === null ? state : tf.mul(state, tf.tensor2d(mask, [rows, units]))
    let value: Matrix = others === undefined ? seen : tf.concat([seen, others], 1)
    for (let layer = 1; layer <= headLayers(sizes); layer++) {
      const [matrix, shift] = head.slice(2 * layer - 2, 2 * layer) as [Matrix, Matrix]
      value = tf.add(product(value, matrix), shift)
      if (layer < headLayers(sizes)) value = tf.relu(value)
    }
    return value
  }
}

/** A product whose slopes are made of transposed copies: on WASM a product that transposes by itself is slow. */
const quickProduct = (tf: typeof TensorFlow): ((a: Matrix, b: Matrix) => Matrix) => {
  const product = tf.customGrad((...given) => {
    const [a, b, save] = given as unknown as [Matrix, Matrix, TensorFlow.GradSaveFunc]
    save([a, b])
    const gradFunc = (slope: TensorFlow.Tensor, saved: TensorFlow.Tensor[]) => {
      const [left, right] = saved as [Matrix, Matrix]
      return [tf.matMul(slope, tf.transpose(right)), tf.matMul(tf.transpose(left), slope)]
    }
    return { value: tf.matMul(a, b), gradFunc }
  })
  return (a, b) => product(a, b) as Matrix
}

const tensorsOf = (
  tf: typeof TensorFlow,
  sizes: NetworkSizes,
  weights: Float32Array,
): TensorFlow.Tensor[] => {
  let at = 0
  return networkParameters(sizes).map(({ shape }) => {
    const size = shape.reduce((product, length) => product * length, 1)
    return tf.tensor(weights.subarray(at, (at += size)), [...shape])
  })
}
