/**
 * The network: standardised lags in the order of time → GRU → last state; the state beside the other columns → dense
 * layers → one standardised forecast per step. Here are its sizes, its weights, and its nodes in the graph that serves.
 */
import { dense, denseParameters } from '../engine/dense.ts'
import { concat, gather, reshape, transpose } from '../engine/layout-operators.ts'
import { parameterOf, type Parameters, type ParameterSpec } from '../engine/parameters.ts'
import type { GraphBuilder, Value } from '../graph.ts'
import type { Normalisation } from '../normalisation.ts'
import type { NetworkSizes } from './engine.ts'
import { gru } from './gru.ts'
import type { SequencePlan } from './sequence.ts'

export interface Network {
  /** Columns of a raw row. */
  readonly count: number
  readonly sizes: NetworkSizes
  readonly plan: SequencePlan
  readonly normalisation: Normalisation
  /** Of the normalised columns. */
  readonly means: Float32Array
  readonly deviations: Float32Array
}

/** Dense layers after the state. */
export const headLayers = ({ head }: NetworkSizes): number => (head > 0 ? 2 : 1)

/** The flat list of weights, in this order; those of the GRU as `GruWeights` says. */
export const networkParameters = (sizes: NetworkSizes): readonly ParameterSpec[] => {
  const { inputs, units, rest, head, horizon } = sizes
  const gates = 3 * units
  const hidden = head > 0 ? [head] : []
  return [
    { name: 'input', shape: [gates, inputs], initial: 'glorot', decays: true },
    { name: 'recurrent', shape: [gates, units], initial: 'glorot', decays: true },
    { name: 'bias', shape: [gates], initial: 'zeros', decays: false },
    // A small last layer: the first forecast is what the network corrects.
    ...denseParameters([units + rest, ...hidden, horizon], 'small'),
  ]
}

/** `row` [batch, F], standardised → [batch, H], standardised. */
export const networkNodes = (
  graph: GraphBuilder,
  row: Value,
  parameters: Parameters,
  { sizes, plan }: Network,
): Value => {
  const { steps, inputs } = sizes
  const columns = (list: readonly number[]): Value => gather(graph, row, graph.list('int64', list), 1)
  const sequence = reshape(graph, columns(plan.sequence), ['batch', steps, inputs])
  const state = gru(graph, transpose(graph, sequence, [1, 0, 2]), {
    input: parameterOf(parameters, 'input'),
    recurrent: parameterOf(parameters, 'recurrent'),
    bias: parameterOf(parameters, 'bias'),
  })
  const seen = plan.rest.length === 0 ? state : concat(graph, [state, columns(plan.rest)], 1)
  return dense(graph, seen, parameters, { layers: headLayers(sizes), activation: 'relu' })
}
