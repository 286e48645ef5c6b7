/**
 * Adam with decoupled weight decay and clipping by the gradient's norm, as nodes over flat lists of weights and as
 * the numbers that each step feeds them. Sources: Kingma and Ba, "Adam" (2015), algorithm 1; Loshchilov and Hutter,
 * "Decoupled Weight Decay Regularization" (2019), algorithm 2.
 */
import type { GraphBuilder, Value } from '../graph.ts'
import { add, divide, minimum, multiply, squareRoot, subtract } from '../operators.ts'
import { sum } from './reductions.ts'

export interface AdamOptions {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Share of a weight that is lost per step at learning rate 1. */
  readonly weightDecay: number
  /** Largest Euclidean norm of the gradient over all weights; left out: any. */
  readonly gradientNormMax?: number
}

export const adamDefaults: AdamOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 }

/** Per weight: itself, the running first and the running second moment of its gradient, both without their factor 1 − β. */
export interface AdamState {
  readonly weights: Value
  readonly first: Value
  readonly second: Value
}

/** What changes from step to step, scalars: see `adamScalars`. */
export interface AdamStep {
  readonly rate: Value
  readonly firstScale: Value
  readonly secondScale: Value
}

/** `decayMask` has 1 for weights that decay; it is looked at only where there is decay. */
export const adamNodes = (
  graph: GraphBuilder,
  { weights, first, second }: AdamState,
  gradient: Value,
  step: AdamStep,
  options: AdamOptions,
  decayMask: Float32Array,
): AdamState => {
  const scalar = (value: number): Value => graph.scalar(weights.type, value)
  const g =
    options.gradientNormMax === undefined ? gradient : clipped(graph, gradient, options.gradientNormMax)
  const nextFirst = add(graph, multiply(graph, first, scalar(options.beta1)), g)
  const nextSecond = add(graph, multiply(graph, second, scalar(options.beta2)), multiply(graph, g, g))
  const spread = multiply(graph, squareRoot(graph, nextSecond), step.secondScale)
  const direction = divide(graph, nextFirst, add(graph, spread, scalar(options.epsilon)))
  const change = multiply(graph, direction, step.firstScale)
  return {
    weights: subtract(graph, decayed(graph, weights, step.rate, options, decayMask), change),
    first: nextFirst,
    second: nextSecond,
  }
}

/** The scalars of step 1, 2, …: bias corrections and the moments' own factors are in them. */
export const adamScalars = (
  step: number,
  rate: number,
  { beta1, beta2 }: AdamOptions,
): Readonly<Record<keyof AdamStep, number>> => ({
  rate,
  firstScale: (rate * (1 - beta1)) / (1 - beta1 ** step),
  secondScale: Math.sqrt((1 - beta2) / (1 - beta2 ** step)),
})

const decayed = (
  graph: GraphBuilder,
  weights: Value,
  rate: Value,
  { weightDecay }: AdamOptions,
  decayMask: Float32Array,
): Value => {
  if (weightDecay === 0) return weights
  const shares = graph.constant(
    'decay_shares',
    weights.type,
    [decayMask.length],
    decayMask.map((mask) => mask * weightDecay),
  )
  return subtract(graph, weights, multiply(graph, multiply(graph, weights, shares), rate))
}

/** Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013), algorithm 1. */
const clipped = (graph: GraphBuilder, gradient: Value, normMax: number): Value => {
  const scalar = (value: number): Value => graph.scalar(gradient.type, value)
  const norm = squareRoot(graph, sum(graph, multiply(graph, gradient, gradient)))
  const share = minimum(graph, divide(graph, scalar(normMax), add(graph, norm, scalar(1e-12))), scalar(1))
  return multiply(graph, gradient, share)
}
