/** The trainer's own forecast: the graph as it was trained, weights fed and not built in. */
import type { GraphSessions } from '../engine/session.ts'
import { perceptronGraph, type PerceptronModel } from './perceptron-graph.ts'

/** Rows per run: bounds the memory. */
const blockRows = 4_096

/** rows × F raw → rows × H, and rows × Q × H (empty where there are no quantiles). */
export const runPerceptron = async (
  sessions: GraphSessions,
  model: PerceptronModel,
  features: Float32Array,
  rows: number,
): Promise<readonly [forecast: Float32Array, quantiles: Float32Array]> => {
  const { count, horizon, probabilities } = model.network
  const weights = model.members.map(
    (values, i) => [`weights_of_${i + 1}`, { shape: [values.length], values }] as const,
  )
  const forecast = new Float32Array(rows * horizon)
  const quantiles = new Float32Array(rows * horizon * probabilities.length)
  const session = await sessions.open(perceptronGraph(model, 'fed'))
  try {
    for (let first = 0; first < rows; first += blockRows) {
      const last = Math.min(rows, first + blockRows)
      const results = await session.run({
        ...Object.fromEntries(weights),
        features: { shape: [last - first, count], values: features.subarray(first * count, last * count) },
      })
      forecast.set(results['forecast'] as Float32Array, first * horizon)
      if (probabilities.length > 0)
        quantiles.set(results['quantiles'] as Float32Array, first * horizon * probabilities.length)
    }
    return [forecast, quantiles]
  } finally {
    await session.close()
  }
}
