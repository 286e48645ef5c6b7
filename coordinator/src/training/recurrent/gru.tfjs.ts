/**
 * A GRU on TensorFlow.js, with its gradient written out: the last state from a sequence, as `gru.ts` says. Automatic
 * differentiation would do, but takes several times as long: on WASM a product with a transposed matrix, a slice of a
 * large tensor and the many small sums of a sequence are slow, so there are none of them here.
 */
import type * as TensorFlow from '@tensorflow/tfjs'

type Matrix = TensorFlow.Tensor2D

/** Weights by gate, as right factors: [I, U], [U, U], [U]. */
type Gate = readonly [input: Matrix, recurrent: Matrix, bias: TensorFlow.Tensor1D]

/** What a time step keeps for the way back, all [rows, U]. */
interface Kept {
  readonly before: Matrix
  readonly update: Matrix
  readonly reset: Matrix
  readonly resetState: Matrix
  readonly candidate: Matrix
}

/**
 * `steps` are [rows, I] each, from the oldest on. Returns a function of input [3U, I], recurrent [3U, U] and bias [3U]
 * weights, differentiable by them, not by the sequence.
 */
export const gruOver = (
  tf: typeof TensorFlow,
  steps: readonly Matrix[],
  units: number,
): ((input: Matrix, recurrent: Matrix, bias: TensorFlow.Tensor1D) => Matrix) => {
  const layer = tf.customGrad((...given) => {
    const [input, recurrent, bias, save] = given as unknown as [
      Matrix,
      Matrix,
      TensorFlow.Tensor1D,
      TensorFlow.GradSaveFunc,
    ]
    const gates = gatesOf(tf, input, recurrent, bias)
    const { last, kept } = forward(tf, steps, gates, units)
    save([recurrent, ...kept.flatMap(toList)])
    const gradFunc = (slope: TensorFlow.Tensor, [matrix, ...states]: TensorFlow.Tensor[]) =>
      backward(tf, steps, matrix as Matrix, fromList(states as Matrix[]), slope as Matrix)
    return { value: last, gradFunc }
  })
  return (input, recurrent, bias) => layer(input, recurrent, bias)
}

const gatesOf = (
  tf: typeof TensorFlow,
  input: Matrix,
  recurrent: Matrix,
  bias: TensorFlow.Tensor1D,
): readonly Gate[] => {
  const inputs = tf.split<Matrix>(input, 3, 0)
  const recurrents = tf.split(recurrent, 3, 0)
  const biases = tf.split(bias, 3, 0)
  return inputs.map((one, gate) => [
    tf.transpose<Matrix>(one),
    tf.transpose<Matrix>(recurrents[gate] as Matrix),
    biases[gate] as TensorFlow.Tensor1D,
  ])
}

const forward = (
  tf: typeof TensorFlow,
  steps: readonly Matrix[],
  gates: readonly Gate[],
  units: number,
): { readonly last: Matrix; readonly kept: readonly Kept[] } => {
  const [update, reset, candidate] = gates as [Gate, Gate, Gate]
  const sums = (x: Matrix, state: Matrix, [input, recurrent, bias]: Gate): Matrix =>
    tf.add(tf.add(tf.matMul(x, input), bias), tf.matMul(state, recurrent))
  const kept: Kept[] = []
  let state = tf.zeros<TensorFlow.Rank.R2>([steps[0]?.shape[0] ?? 0, units])
  for (const x of steps) {
    const z = tf.sigmoid(sums(x, state, update))
    const r = tf.sigmoid(sums(x, state, reset))
    const resetState = tf.mul<Matrix>(r, state)
    const c = tanhOf(tf, sums(x, resetState, candidate))
    kept.push({ before: state, update: z, reset: r, resetState, candidate: c })
    state = tf.add(c, tf.mul(z, tf.sub(state, c)))
  }
  return { last: state, kept }
}

/** tanh x = 2 sigmoid(2x) − 1: on WASM only the sigmoid is quick. */
const tanhOf = (tf: typeof TensorFlow, x: Matrix): Matrix => tf.sub(tf.mul(tf.sigmoid(tf.mul(x, 2)), 2), 1)

/** Back through time: slopes by input, recurrent and bias weights. Source: Werbos, "Backpropagation through time" (1990). */
const backward = (
  tf: typeof TensorFlow,
  steps: readonly Matrix[],
  recurrent: Matrix,
  kept: readonly Kept[],
  slope: Matrix,
): TensorFlow.Tensor[] => {
  const [toUpdate, toReset, toCandidate] = tf.split(recurrent, 3, 0) as [Matrix, Matrix, Matrix]
  // Slope by the argument of sigmoid and of tanh, from what they returned.
  const bySigmoid = (s: Matrix, y: Matrix): Matrix => tf.mul(s, tf.sub(y, tf.mul(y, y)))
  const byTanh = (s: Matrix, y: Matrix): Matrix => tf.sub(s, tf.mul(s, tf.mul(y, y)))
  const slopes: [update: Matrix, reset: Matrix, candidate: Matrix][] = []
  let s = slope
  for (const { before, update, reset, candidate } of kept.toReversed()) {
    const straight = tf.mul<Matrix>(s, update)
    const c = byTanh(tf.sub(s, straight), candidate)
    const byResetState = tf.matMul(c, toCandidate)
    const z = bySigmoid(tf.mul(s, tf.sub(before, candidate)), update)
    const r = bySigmoid(tf.mul(byResetState, before), reset)
    slopes.push([z, r, c])
    const direct = tf.add<Matrix>(straight, tf.mul(byResetState, reset))
    s = tf.add(direct, tf.add(tf.matMul(z, toUpdate), tf.matMul(r, toReset)))
  }
  slopes.reverse()
  // One product over all time steps instead of a sum of many.
  const long = (parts: readonly Matrix[]): Matrix =>
    parts.length === 1 ? (parts[0] as Matrix) : tf.concat([...parts], 0)
  const inputs = long(steps)
  const states = long(kept.map(({ before }) => before))
  const resetStates = long(kept.map(({ resetState }) => resetState))
  const byGate = [0, 1, 2].map((gate) => {
    const one = long(slopes.map((gates) => gates[gate] as Matrix))
    const turned = tf.transpose(one)
    return [tf.matMul(turned, inputs), tf.matMul(turned, gate === 2 ? resetStates : states), tf.sum(one, 0)]
  })
  return [0, 1, 2].map((weights) =>
    tf.concat(
      byGate.map((gate) => gate[weights] as TensorFlow.Tensor),
      0,
    ),
  )
}

/** Tensors that TensorFlow.js keeps come and go as a list. */
const toList = ({ before, update, reset, resetState, candidate }: Kept): Matrix[] => [
  before,
  update,
  reset,
  resetState,
  candidate,
]

const fromList = (list: readonly Matrix[]): readonly Kept[] =>
  Array.from({ length: list.length / 5 }, (_, step) => {
    const [before, update, reset, resetState, candidate] = list.slice(5 * step, 5 * step + 5) as [
      Matrix,
      Matrix,
      Matrix,
      Matrix,
      Matrix,
    ]
    return { before, update, reset, resetState, candidate }
  })
