/**
 * ONNX's GRU with its shape rule: a gated recurrent unit over a sequence, one direction, from a state of zeros.
 *
 *   z, r = sigmoid(x·Wᵀ + h·Rᵀ + b)    c = tanh(x·Wᵀ + (r ⊙ h)·Rᵀ + b)    h ← (1 − z) ⊙ c + z ⊙ h
 *
 * Source: ONNX operator specification, GRU, with linear_before_reset = 0; Cho et al. (2014).
 */
import { invariant } from '@imlma/protocol/result'
import { concat, reshape, unsqueeze } from '../engine/layout-operators.ts'
import { type Dimension, type GraphBuilder, type Value } from '../graph.ts'

/** Gates in ONNX's order, each a block of U rows: update, reset, candidate. */
export interface GruWeights {
  /** [3U, I]. */
  readonly input: Value
  /** [3U, U]. */
  readonly recurrent: Value
  /** [3U]. */
  readonly bias: Value
}

/** `sequence` [steps, batch, I] → the last state [batch, U]. */
export const gru = (graph: GraphBuilder, sequence: Value, { input, recurrent, bias }: GruWeights): Value => {
  const [, batch, inputs] = sequence.shape
  const [gates, units] = recurrent.shape
  invariant(sequence.shape.length === 3, 'a GRU reads [steps, batch, inputs]')
  invariant(typeof units === 'number' && gates === 3 * units, 'recurrent weights are [3U, U]')
  invariant(input.shape[0] === gates && input.shape[1] === inputs, 'input weights are [3U, I]')
  invariant(bias.shape.length === 1 && bias.shape[0] === gates, 'the bias is [3U]')
  const forward = (weights: Value): Value => unsqueeze(graph, weights, [0])
  // ONNX adds a second bias to the first: zeros, because one is enough.
  const none = graph.constant(`${bias.name}_none`, 'float32', [gates], new Float32Array(gates))
  const biases = forward(concat(graph, [bias, none], 0))
  const [, last] = graph.nodeWith(
    'GRU',
    [sequence, forward(input), forward(recurrent), biases],
    [
      { type: 'float32', shape: [sequence.shape[0] as Dimension, 1, batch as Dimension, units] },
      { type: 'float32', shape: [1, batch as Dimension, units] },
    ],
    { hidden_size: units, linear_before_reset: 0 },
  )
  return reshape(graph, last as Value, [batch as Dimension, units])
}
