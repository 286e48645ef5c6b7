/**
 * The forecaster as a graph: `features` [batch, F] raw → `forecast` [batch, H] in the unit of the series: the network's
 * answer around the row's level or around the base's forecast.
 */
import { constantParameters, parametersFrom } from '../engine/parameters.ts'
import { createGraphBuilder, type Graph, type Value } from '../graph.ts'
import { inlineGraph } from '../inline-graph.ts'
import { denormalise } from '../normalisation-graph.ts'
import { standardRows } from '../perceptron/network.ts'
import { destandardise } from '../perceptron/perceptron-graph.ts'
import type { TargetScale } from '../perceptron/targets.ts'
import { networkNodes, networkParameters, type Network } from './network.ts'

export interface RecurrentModel {
  readonly network: Network
  readonly scale: TargetScale
  /** Forecasts [batch, H] in raw units; null: the row's level is corrected. */
  readonly base: Graph | null
  /** Flat, as `networkParameters` lists them. */
  readonly weights: Float32Array
}

/**
 * With `held: 'constant'` the weights are part of the graph: the file that is served. With `'fed'` they come in as
 * `weights`, and the network's standardised answer is a second output: what the trainer's is compared with.
 */
export const recurrentGraph = (model: RecurrentModel, held: 'constant' | 'fed'): Graph => {
  const { network, weights, base } = model
  const graph = createGraphBuilder('recurrent')
  const features = graph.input('features', 'float32', ['batch', network.count])
  const { row, level, scale } = standardRows(graph, features, network)
  const specs = networkParameters(network.sizes)
  const parameters =
    held === 'constant'
      ? constantParameters(graph, weights, specs)
      : parametersFrom(graph, graph.input('weights', 'float32', [weights.length]), specs)
  const answer = networkNodes(graph, row, parameters, network)
  const value = destandardise(graph, answer, model.scale)
  const known = base === null ? level : (inlineGraph(graph, base, 'base_', [features])[0] as Value)
  // An output has a name of its own, also where nothing is left to do to it.
  const forecast =
    known === null && scale === null
      ? graph.node('Identity', [value], { name: 'forecast', type: value.type, shape: value.shape })
      : denormalise(graph, value, { level: known, scale }, 'forecast')
  return graph.build(held === 'constant' ? [forecast] : [forecast, answer])
}
