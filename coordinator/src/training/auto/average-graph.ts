/** The average of models as one graph: one row in, each model picks its own columns of it. */
import { createGraphBuilder, type Graph, type GraphBuilder, type Value } from '../graph.ts'
import { inlineGraph } from '../inline-graph.ts'
import { add, gatherColumns, multiply } from '../operators.ts'

export interface GraphMember {
  readonly graph: Graph
  readonly weight: number
  /** Of the average's columns those that it looks at, in its own order. */
  readonly columns: readonly string[]
}

/**
 * `features` [batch, columns] → `forecast`, and `quantiles` where asked for: the weighted sums of what the graphs
 * say, which are their first outputs and their second.
 */
export const averageGraph = (
  members: readonly GraphMember[],
  columns: readonly string[],
  withQuantiles = false,
): Graph => {
  const graph = createGraphBuilder('average')
  const features = graph.input('features', 'float32', ['batch', columns.length])
  const places = new Map(columns.map((column, i) => [column, i]))
  const answers = members.map(({ graph: inner, columns: own }, i) => {
    const indices = own.map((column) => places.get(column) as number)
    const isWhole = indices.length === columns.length && indices.every((index, place) => index === place)
    const seen = isWhole
      ? features
      : gatherColumns(graph, features, graph.constant(`columns_${i}`, 'int64', [indices.length], indices))
    return inlineGraph(graph, inner, `model_${i}/`, [seen])
  })
  const weights = members.map(({ weight }, i) => graph.constant(`weight_${i}`, 'float32', [], [weight]))
  const outputs = (withQuantiles ? ['forecast', 'quantiles'] : ['forecast']).map((name, output) =>
    weightedSum(
      graph,
      answers.map((one) => one[output] as Value),
      weights,
      name,
    ),
  )
  return graph.build(outputs)
}

const weightedSum = (
  graph: GraphBuilder,
  values: readonly Value[],
  weights: readonly Value[],
  name: string,
): Value => {
  const parts = values.map((value, i) => multiply(graph, value, weights[i] as Value))
  const [first, ...others] = parts as [Value, ...Value[]]
  return others.reduce(
    (sum, part, i) => add(graph, sum, part, i === others.length - 1 ? name : undefined),
    first,
  )
}
