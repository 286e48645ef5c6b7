/**
 * The forecaster as a graph: `features` [batch, F] raw → `forecast` [batch, H] and, where asked for, `quantiles`
 * [batch, Q, H] in the unit of the series. The mean of the members, around the level or around the base's forecast.
 */
import { unsqueeze } from '../engine/layout-operators.ts'
import { constantParameters, parametersFrom, type Parameters } from '../engine/parameters.ts'
import { createGraphBuilder, type Graph, type GraphBuilder, type Value } from '../graph.ts'
import { inlineGraph } from '../inline-graph.ts'
import { denormalise } from '../normalisation-graph.ts'
import { add, divide, multiply } from '../operators.ts'
import { headsOf, networkParameters, standardRows, type Heads, type Network } from './network.ts'
import type { TargetScale } from './targets.ts'

export interface PerceptronModel {
  readonly network: Network
  readonly scale: TargetScale
  /** Forecasts [batch, H] in raw units; null: the row's level is corrected. */
  readonly base: Graph | null
  /** A flat list of weights each. */
  readonly members: readonly Float32Array[]
}

/**
 * With `held: 'constant'` the weights are part of the graph: the file that is served. With `'fed'` they come in as
 * `weights_of_1` …, as while training: the trainer's own forecast.
 */
export const perceptronGraph = (model: PerceptronModel, held: 'constant' | 'fed'): Graph => {
  const { network, members, base } = model
  const graph = createGraphBuilder('perceptron')
  const features = graph.input('features', 'float32', ['batch', network.count])
  const { row, level, scale } = standardRows(graph, features, network)
  const specs = networkParameters(network)
  const parametersOf = (weights: Float32Array, i: number): Parameters =>
    held === 'constant'
      ? constantParameters(graph, weights, specs, `member_${i + 1}_`)
      : parametersFrom(graph, graph.input(`weights_of_${i + 1}`, 'float32', [weights.length]), specs)
  const heads = members.map((weights, i) => headsOf(graph, row, parametersOf(weights, i), network, 'check'))

  const known = base === null ? level : (inlineGraph(graph, base, 'base_', [features])[0] as Value)
  const raw = (standardised: Value, name: string, shaped: (one: Value) => Value): Value => {
    const value = destandardise(graph, standardised, model.scale)
    const own = { level: known && shaped(known), scale: scale && shaped(scale) }
    // An output has a name of its own, also where nothing is left to do to it.
    return own.level === null && own.scale === null
      ? graph.node('Identity', [value], { name, type: value.type, shape: value.shape })
      : denormalise(graph, value, own, name)
  }
  const forecast = raw(
    meanOf(
      graph,
      heads.map((head) => head.forecast),
    ),
    'forecast',
    (one) => one,
  )
  if (network.probabilities.length === 0) return graph.build([forecast])
  const quantiles = meanOf(graph, heads.map(quantilesOf))
  return graph.build([forecast, raw(quantiles, 'quantiles', (one) => unsqueeze(graph, one, [1]))])
}

const quantilesOf = ({ quantiles }: Heads): Value => quantiles as Value

const meanOf = (graph: GraphBuilder, [first, ...others]: readonly Value[]): Value => {
  const sum = others.reduce((total, one) => add(graph, total, one), first as Value)
  return others.length === 0 ? sum : divide(graph, sum, graph.scalar('float32', others.length + 1))
}

/** In units of the row's scale again. */
export const destandardise = (graph: GraphBuilder, value: Value, { shifts, spread }: TargetScale): Value => {
  const constant = `${value.name}_shifts`
  const wide = multiply(graph, value, graph.scalar('float32', spread))
  return add(graph, wide, graph.constant(constant, 'float32', [shifts.length], shifts))
}
