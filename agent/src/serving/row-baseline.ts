/**
 * The last resort where no version of a model answers: the value of the last season at the same phase, read out of the
 * feature row that was meant for the model. Whoever asked has no other series at hand, and needs none. It answers a run
 * that a model failed, and is what the factory version (`baseline.ts`) runs.
 *
 * Where a row holds no value of that phase, its latest value stands for it; where it holds no past value, nothing can.
 */

import { featureCount, seasonalLagOf, type FeatureSpec } from '@imlma/protocol/features'

/** Writes rows × H into `into`. */
export type RowBaseline = (features: Float32Array, rows: number, into: Float32Array) => void

/** Nothing for a spec without past values. */
export const createRowBaseline = (spec: FeatureSpec): RowBaseline | undefined => {
  const { horizon } = spec
  const columns = Array.from({ length: horizon }, (_, index) => columnOf(spec, index + 1))
  if (!columns.every((column) => column !== undefined)) return undefined
  const width = featureCount(spec)
  return (features, rows, into) => {
    for (let row = 0; row < rows; row++) {
      for (let step = 0; step < horizon; step++) {
        into[row * horizon + step] = features[row * width + (columns[step] as number)] as number
      }
    }
  }
}

/** The column of a row that comes closest to step `step` (from 1 on) a season ago. */
const columnOf = (spec: FeatureSpec, step: number): number | undefined => {
  const lags = lagColumnsOf(spec)
  const seasons = Array.from({ length: 8 }, (_, count) => seasonalLagOf(spec.seasonSteps, count + 1, step))
  const phase = seasons.find((lag) => lags.has(lag))
  return (phase && lags.get(phase)) ?? seasonalColumnOf(spec, step) ?? lags.get(Math.min(...lags.keys()))
}

const lagColumnsOf = ({ intervalMs, shared }: FeatureSpec): ReadonlyMap<number, number> => {
  const columns = new Map<number, number>()
  shared.forEach((term, index) => {
    if (term.kind !== 'lags') return
    const before = featureCount({ intervalMs, horizon: 0, shared: shared.slice(0, index), step: [] })
    term.lags.forEach((lag, at) => columns.set(lag, before + at))
  })
  return columns
}

/** Of the step's own terms, the latest value of the spec's season, otherwise of the first season that there is. */
const seasonalColumnOf = ({ intervalMs, seasonSteps, shared, step }: FeatureSpec, of: number) => {
  const isSeasonal = (index: number): boolean => step[index]?.kind === 'seasonal-lag'
  const candidates = step.map((_, index) => index).filter(isSeasonal)
  const own = candidates.find((index) => {
    const term = step[index]
    return term?.kind === 'seasonal-lag' && term.seasonSteps === seasonSteps && term.count === 1
  })
  const chosen = own ?? candidates[0]
  if (chosen === undefined) return undefined
  const before = featureCount({ intervalMs, horizon: of - 1, shared, step })
  return before + featureCount({ intervalMs, horizon: 1, shared: [], step: step.slice(0, chosen) })
}
