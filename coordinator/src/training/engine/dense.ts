/** Fully connected layers: their parameters and their nodes. */
import { invariant } from '@imlma/protocol/result'
import type { GraphBuilder, Value } from '../graph.ts'
import { gemm } from '../operators.ts'
import { activate, type ActivationName } from './activations.ts'
import { dropout } from './dropout.ts'
import { parameterOf, type Parameters, type ParameterSpec } from './parameters.ts'

/** One layer more than hidden sizes: `sizes` are inputs, hidden …, outputs. The last starts at `last`. */
export const denseParameters = (
  sizes: readonly number[],
  last: ParameterSpec['initial'] = 'glorot',
): readonly ParameterSpec[] =>
  sizes.slice(1).flatMap((outputs, layer): ParameterSpec[] => {
    const isLast = layer === sizes.length - 2
    const shape = [sizes[layer] as number, outputs]
    return [
      { name: `weights_${layer + 1}`, shape, initial: isLast ? last : 'he', decays: true },
      { name: `bias_${layer + 1}`, shape: [outputs], initial: 'zeros', decays: false },
    ]
  })

export interface DenseOptions {
  readonly layers: number
  readonly activation: ActivationName
  /** Share of the hidden values that is dropped; only while training. */
  readonly dropout?: number
}

/** [rows, inputs] → [rows, outputs]: activations after every layer but the last. */
export const dense = (
  graph: GraphBuilder,
  features: Value,
  parameters: Parameters,
  { layers, activation, dropout: ratio = 0 }: DenseOptions,
): Value => {
  invariant(layers > 0, 'at least one layer')
  let value = features
  for (let layer = 1; layer <= layers; layer++) {
    const [weights, bias] = [
      parameterOf(parameters, `weights_${layer}`),
      parameterOf(parameters, `bias_${layer}`),
    ]
    value = gemm(graph, [value, weights, bias])
    if (layer === layers) break
    value = activate(graph, activation, value)
    if (ratio > 0) value = dropout(graph, value, ratio, layer)
  }
  return value
}
