/** How far a spec reaches: columns of its rows, past values that they need, covariates that they read. */
import { dayMs } from '../series/index.ts'
import type { CalendarPart, FeatureSpec, SharedTerm, StepTerm } from './fields.ts'

/** Columns of a row of this spec. */
export const featureCount = (spec: Pick<FeatureSpec, 'intervalMs' | 'horizon' | 'shared' | 'step'>): number =>
  widthOf(spec.shared, spec.intervalMs) + spec.horizon * widthOf(spec.step, spec.intervalMs)

/** Past values that a row needs, in steps before the origin; at least 1. */
export const contextLengthOf = (spec: Pick<FeatureSpec, 'horizon' | 'shared' | 'step'>): number => {
  const reaches = [
    ...spec.shared.map((term) => {
      if (term.kind === 'lags') return Math.max(...term.lags)
      return term.kind === 'statistics' ? term.over : 1
    }),
    ...spec.step.map((term) =>
      // Step 1 reaches furthest back, unless the horizon is longer than the season.
      term.kind === 'seasonal-lag' ? seasonalReachOf(term.seasonSteps, term.count, spec.horizon) : 1,
    ),
  ]
  return Math.max(1, ...reaches)
}

/** Past values that covariates need before the origin, in steps of the spec's interval. */
export const covariateHistoryOf = (spec: FeatureSpec): number =>
  Math.max(
    0,
    ...[...spec.shared, ...spec.step].map((term) =>
      term.kind === 'covariate' ? term.lag + term.averageSteps - 1 : 0,
    ),
  )

/** The covariates a row reads, in the order in which `writeRow` wants them. */
export const covariateNamesOf = (spec: FeatureSpec): readonly string[] => [
  ...new Set(
    [...spec.shared, ...spec.step].flatMap((term) => (term.kind === 'covariate' ? [term.name] : [])),
  ),
]

/** The lag, counted from the origin, of the `count`-th latest known value at the phase of step `step` (from 1 on). */
export const seasonalLagOf = (seasonSteps: number, count: number, step: number): number =>
  (Math.ceil(step / seasonSteps) + count - 1) * seasonSteps - step + 1

const seasonalReachOf = (seasonSteps: number, count: number, horizon: number): number => {
  let reach = 0
  for (let step = 1; step <= Math.min(horizon, seasonSteps); step++) {
    reach = Math.max(reach, seasonalLagOf(seasonSteps, count, step))
  }
  return reach
}

const widthOf = (terms: readonly (SharedTerm | StepTerm)[], intervalMs: number): number =>
  terms.reduce((width, term) => width + termWidth(term, intervalMs), 0)

const termWidth = (term: SharedTerm | StepTerm, intervalMs: number): number => {
  switch (term.kind) {
    case 'lags':
      return term.lags.length
    case 'statistics':
      return term.of.length
    case 'seasonal-lag':
      return 1
    case 'covariate':
      return 1 + term.knots.length
    case 'calendar':
      return term.parts.reduce((width, part) => width + partWidth(part, intervalMs), 0)
  }
}

const partWidth = (part: CalendarPart, intervalMs: number): number => {
  switch (part.kind) {
    case 'time-of-day-one-hot':
      return dayMs / intervalMs
    case 'day-of-week':
      return 7
    case 'day-type':
      return 3
    case 'time-of-day-harmonics':
    case 'day-of-year-harmonics':
      return 2 * part.order
    case 'holiday':
      return part.offsetDays.length
    case 'day-profile':
      return (part.by === 'day-type' ? 3 : 7) * (1 + 2 * part.order)
  }
}
