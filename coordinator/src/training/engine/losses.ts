/** Losses: forecast and actual of one shape → the mean over all their values, a scalar. */
import { invariant } from '@imlma/protocol/result'
import type { GraphBuilder, Value } from '../graph.ts'
import { absolute, add, maximum, minimum, multiply, subtract } from '../operators.ts'
import { mean } from './reductions.ts'

export const squaredLoss = (graph: GraphBuilder, forecast: Value, actual: Value): Value => {
  const error = subtract(graph, forecast, actual)
  return mean(graph, multiply(graph, error, error))
}

export const absoluteLoss = (graph: GraphBuilder, forecast: Value, actual: Value): Value =>
  mean(graph, absolute(graph, subtract(graph, forecast, actual)))

/** Half the square up to `delta`, linear beyond: with c = min(|e|, δ) it is c·(|e| − c/2). */
export const huberLoss = (graph: GraphBuilder, forecast: Value, actual: Value, delta: number): Value => {
  const size = absolute(graph, subtract(graph, forecast, actual))
  const near = minimum(graph, size, graph.scalar(size.type, delta))
  const rest = subtract(graph, size, multiply(graph, near, graph.scalar(size.type, 0.5)))
  return mean(graph, multiply(graph, near, rest))
}

/**
 * Quantile loss, max(τ·e, (τ − 1)·e) for e = actual − forecast. `forecast` [rows, Q, H], `actual` [rows, 1, H],
 * one probability per quantile. Source: Koenker and Bassett, "Regression Quantiles" (1978).
 */
export const pinballLoss = (
  graph: GraphBuilder,
  forecast: Value,
  actual: Value,
  probabilities: readonly number[],
): Value => {
  invariant(forecast.shape.at(-2) === probabilities.length, 'a forecast per probability')
  const column = (name: string, values: readonly number[]): Value =>
    graph.constant(`${forecast.name}_${name}`, forecast.type, [values.length, 1], values)
  const error = subtract(graph, actual, forecast)
  const above = multiply(graph, error, column('above', probabilities))
  const below = multiply(
    graph,
    error,
    column(
      'below',
      probabilities.map((share) => share - 1),
    ),
  )
  return mean(graph, maximum(graph, above, below))
}

/** The sum of several losses. */
export const totalLoss = (graph: GraphBuilder, [first, ...others]: readonly Value[]): Value => {
  invariant(first !== undefined, 'at least one loss')
  return others.reduce((total, loss) => add(graph, total, loss), first)
}
