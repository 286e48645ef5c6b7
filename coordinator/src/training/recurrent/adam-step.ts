/**
 * A step of Adam with decoupled weight decay and clipping by the gradient's norm on flat lists of numbers: what
 * `engine/adam.ts` says in nodes, for weights that live outside a graph. The sources are there.
 */
import { adamScalars, type AdamOptions } from '../engine/adam.ts'

export interface AdamState {
  readonly weights: Float32Array
  /** Running moments of the gradient, both without their factor 1 − β. */
  readonly first: Float32Array
  readonly second: Float32Array
}

export const startAdam = (weights: Float32Array): AdamState => ({
  weights: weights.slice(),
  first: new Float32Array(weights.length),
  second: new Float32Array(weights.length),
})

export interface AdamStepOptions extends AdamOptions {
  /** From 1 on. */
  readonly step: number
  readonly rate: number
  /** 1 for weights that decay. */
  readonly decayMask: Float32Array
}

/** In place. */
export const stepAdam = (
  { weights, first, second }: AdamState,
  gradient: Float32Array,
  { step, rate, decayMask, ...adam }: AdamStepOptions,
): void => {
  const { firstScale, secondScale } = adamScalars(step, rate, adam)
  const share = Math.min(1, (adam.gradientNormMax ?? Infinity) / (normOf(gradient) + 1e-12))
  for (let i = 0; i < weights.length; i++) {
    const slope = share * (gradient[i] as number)
    const mean = adam.beta1 * (first[i] as number) + slope
    const square = adam.beta2 * (second[i] as number) + slope * slope
    first[i] = mean
    second[i] = square
    const kept = 1 - rate * adam.weightDecay * (decayMask[i] as number)
    const change = (firstScale * mean) / (secondScale * Math.sqrt(square) + adam.epsilon)
    weights[i] = kept * (weights[i] as number) - change
  }
}

const normOf = (values: Float32Array): number => {
  let squares = 0
  for (const value of values) squares += value * value
  return Math.sqrt(squares)
}
