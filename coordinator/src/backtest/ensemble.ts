/** The average of the best few models as one graph, and how much each of them weighs in it. */
import { createGraphBuilder, type Graph, type Value } from '../training/graph.ts'
import { inlineGraph } from '../training/inline-graph.ts'
import { add, gatherColumns, multiply } from '../training/operators.ts'

/** Picks of the greedy selection; each is so much of the average. */
const picksMax = 6

/** A gain below this share of the loss is noise of the validation part: one model is simpler than several. */
const gainShareMin = 0.003

/**
 * Weights that sum to 1, most of them 0, by greedy selection with replacement. Source: Caruana et al. 2004, section 2.
 * `residuals`: forecast − actual of each model on the same rows, the best model first.
 */
export const weightsOf = (
  residuals: readonly Float32Array[],
  metric: 'mse' | 'mae',
): { readonly weights: readonly number[]; readonly loss: number } => {
  const counts: number[] = residuals.map((_, i) => (i === 0 ? 1 : 0))
  let sum = Float64Array.from(residuals[0] ?? [])
  let picks = 1
  let loss = lossOf(sum, 1, metric)
  let best = { weights: counts.slice(), loss }
  while (picks < picksMax) {
    const tried = residuals.map((one) => sum.map((value, i) => value + (one[i] as number)))
    const losses = tried.map((one) => lossOf(one, picks + 1, metric))
    const pick = losses.indexOf(Math.min(...losses))
    sum = tried[pick] as Float64Array<ArrayBuffer>
    picks += 1
    loss = losses[pick] as number
    counts[pick] = (counts[pick] as number) + 1
    if (loss < best.loss * (1 - gainShareMin)) best = { weights: counts.map((count) => count / picks), loss }
  }
  return best
}

const lossOf = (sums: Float64Array, count: number, metric: 'mse' | 'mae'): number => {
  let total = 0
  for (const sum of sums) total += metric === 'mae' ? Math.abs(sum / count) : (sum / count) ** 2
  return total / sums.length
}

export interface AverageMember {
  readonly graph: Graph
  readonly weight: number
  /** Of the average's columns those that it looks at, in its own order. */
  readonly columns: readonly string[]
}

/** `features` [batch, columns] → `forecast`: the weighted sum of what the graphs say. */
export const averageGraph = (members: readonly AverageMember[], columns: readonly string[]): Graph => {
  const graph = createGraphBuilder('average')
  const features = graph.input('features', 'float32', ['batch', columns.length])
  const places = new Map(columns.map((column, i) => [column, i]))
  const parts = members.map(({ graph: inner, weight, columns: own }, i) => {
    const indices = own.map((column) => places.get(column) as number)
    const isWhole = indices.length === columns.length && indices.every((index, place) => index === place)
    const seen = isWhole
      ? features
      : gatherColumns(graph, features, graph.constant(`columns_${i}`, 'int64', [indices.length], indices))
    const forecast = inlineGraph(graph, inner, `model_${i}/`, [seen])[0] as Value
    return multiply(graph, forecast, graph.constant(`weight_${i}`, 'float32', [], [weight]))
  })
  const [first, ...others] = parts as [Value, ...Value[]]
  const forecast = others.reduce(
    (sum, part, i) => add(graph, sum, part, i === others.length - 1 ? 'forecast' : undefined),
    first,
  )
  return graph.build([forecast])
}
