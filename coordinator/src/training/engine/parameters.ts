/**
 * The weights of a network as one flat list, so that a step of the optimiser is a dozen nodes whatever the number of
 * layers, and as the matrices that the forward graph uses.
 */
import { invariant } from '@imlma/protocol/result'
import type { Random } from '../../tuning/random.ts'
import type { GraphBuilder, Value } from '../graph.ts'
import { reshape, split } from './layout-operators.ts'

export interface ParameterSpec {
  readonly name: string
  readonly shape: readonly number[]
  /** `he` and `glorot` are normal, by the sizes of a matrix [inputs, outputs]; `small` is a hundredth of `glorot`. */
  readonly initial: 'zeros' | 'ones' | 'he' | 'glorot' | 'small'
  /** Whether weight decay applies: to matrices, not to biases. */
  readonly decays: boolean
}

/** By name. */
export type Parameters = Readonly<Record<string, Value>>

export const parameterCount = (specs: readonly ParameterSpec[]): number =>
  specs.reduce((count, { shape }) => count + sizeOf(shape), 0)

/** Source of the deviations: He et al., "Delving Deep into Rectifiers" (2015); Glorot and Bengio (2010). */
export const initialWeights = (specs: readonly ParameterSpec[], random: Random): Float32Array => {
  const weights = new Float32Array(parameterCount(specs))
  let at = 0
  for (const { shape, initial } of specs) {
    const end = at + sizeOf(shape)
    const [inputs = 1, outputs = 1] = shape
    const glorot = Math.sqrt(2 / (inputs + outputs))
    const deviation = { zeros: 0, ones: 0, he: Math.sqrt(2 / inputs), glorot, small: glorot / 100 }[initial]
    for (; at < end; at++)
      weights[at] = deviation > 0 ? deviation * random.normal() : initial === 'ones' ? 1 : 0
  }
  return weights
}

/** 1 where a weight decays, 0 elsewhere. */
export const decayMask = (specs: readonly ParameterSpec[]): Float32Array => {
  const mask = new Float32Array(parameterCount(specs))
  let at = 0
  for (const { shape, decays } of specs) mask.fill(decays ? 1 : 0, at, (at += sizeOf(shape)))
  return mask
}

/** From the flat list: how a graph that trains sees its weights. */
export const parametersFrom = (
  graph: GraphBuilder,
  flat: Value,
  specs: readonly ParameterSpec[],
): Parameters => {
  const parts = split(
    graph,
    flat,
    0,
    specs.map(({ shape }) => sizeOf(shape)),
  )
  return Object.fromEntries(
    specs.map(({ name, shape }, i) => [name, reshape(graph, parts[i] as Value, shape)]),
  )
}

/** As constants: how a graph that serves holds them. `prefix` tells several networks of one graph apart. */
export const constantParameters = (
  graph: GraphBuilder,
  weights: Float32Array,
  specs: readonly ParameterSpec[],
  prefix = '',
): Parameters => {
  invariant(weights.length === parameterCount(specs), 'as many weights as the parameters have')
  let at = 0
  return Object.fromEntries(
    specs.map(({ name, shape }) => [
      name,
      graph.constant(`${prefix}${name}`, 'float32', shape, weights.subarray(at, (at += sizeOf(shape)))),
    ]),
  )
}

export const parameterOf = (parameters: Parameters, name: string): Value => {
  const value = parameters[name]
  invariant(value !== undefined, `there is a parameter ${name}`)
  return value
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)
