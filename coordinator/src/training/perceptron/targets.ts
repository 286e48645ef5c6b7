/**
 * What the network is trained to say: the actual less what it corrects, in units of the row's scale, standardised
 * over the training part. Made once before the training, by the runtime.
 */
import { createGraphBuilder, type Graph, type Value } from '../graph.ts'
import { inlineGraph } from '../inline-graph.ts'
import type { Examples } from '../examples.ts'
import type { GraphSessions } from '../engine/session.ts'
import { normaliseRows } from '../normalisation-graph.ts'
import type { Normalisation } from '../normalisation.ts'
import { divide, subtract } from '../operators.ts'

/** In units of the row's scale. */
export interface TargetScale {
  /** Per step. */
  readonly shifts: Float32Array
  /** One for all steps, so that every step weighs what it weighs in the forecast. */
  readonly spread: number
}

/** Rows per run. */
const blockRows = 4_096

/** rows × H; `base` forecasts [batch, H] in raw units, null: the row's level is corrected. */
export const residualsOf = async (
  sessions: GraphSessions,
  normalisation: Normalisation,
  base: Graph | null,
  { rows, features, targets }: Pick<Examples, 'rows' | 'features' | 'targets'>,
): Promise<Float32Array> => {
  const [count, horizon] = [features.length / rows, targets.length / rows]
  const graph = createGraphBuilder('residuals')
  const rawFeatures = graph.input('features', 'float32', ['batch', count])
  const actual = graph.input('targets', 'float32', ['batch', horizon])
  const { level, scale } = normaliseRows(graph, rawFeatures, normalisation)
  const known = base === null ? level : (inlineGraph(graph, base, 'base_', [rawFeatures])[0] as Value)
  if (known === null && scale === null) return targets.slice()
  const rest = known === null ? actual : subtract(graph, actual, known)
  const residual = scale === null ? rest : divide(graph, rest, scale)
  const session = await sessions.open(graph.build([residual]))
  try {
    const residuals = new Float32Array(rows * horizon)
    for (let first = 0; first < rows; first += blockRows) {
      const last = Math.min(rows, first + blockRows)
      const results = await session.run({
        features: { shape: [last - first, count], values: features.subarray(first * count, last * count) },
        targets: {
          shape: [last - first, horizon],
          values: targets.subarray(first * horizon, last * horizon),
        },
      })
      residuals.set(results[residual.name] as Float32Array, first * horizon)
    }
    return residuals
  } finally {
    await session.close()
  }
}

export const targetScaleOf = (residuals: Float32Array, horizon: number): TargetScale => {
  const rows = residuals.length / horizon
  const sums = new Float64Array(horizon)
  for (let i = 0; i < residuals.length; i++)
    sums[i % horizon] = (sums[i % horizon] as number) + (residuals[i] as number)
  const shifts = Float32Array.from(sums, (sum) => sum / rows)
  let squares = 0
  for (let i = 0; i < residuals.length; i++)
    squares += ((residuals[i] as number) - (shifts[i % horizon] as number)) ** 2
  const spread = Math.fround(Math.sqrt(squares / residuals.length))
  return { shifts, spread: spread > 1e-12 ? spread : 1 }
}

/** In place. */
export const standardiseTargets = (
  residuals: Float32Array,
  { shifts, spread }: TargetScale,
): Float32Array => {
  for (let i = 0; i < residuals.length; i++)
    residuals[i] = ((residuals[i] as number) - (shifts[i % shifts.length] as number)) / spread
  return residuals
}
