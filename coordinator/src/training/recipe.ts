/**
 * The default features for a live forecast: many meters of different size, a forecast at every interval. The last
 * day as it was, the week-ago values at the target times, figures to normalise by, the calendar, and the covariates.
 * A season is used only where the history holds it at least twice and the context may be that long.
 */
import { featureSpecSchema, type FeatureSpec, type SharedTerm, type StepTerm } from '@imlma/protocol/features'
import { limits } from '@imlma/protocol/limits'
import { dayMs, type Zone } from '@imlma/protocol/series'

export interface RecipeRequest {
  readonly intervalMs: number
  /** Steps. */
  readonly horizon: number
  /** Steps of the training window. */
  readonly historySteps: number
  readonly zone: Zone
  readonly holidays: readonly string[]
  /** Known in advance; knots in the covariate's unit. */
  readonly covariates?: readonly { readonly name: string; readonly knots: readonly number[] }[]
}

/** Lags of the last day beyond which they are thinned out: a day of quarter hours. */
const lagsMax = 96

export const defaultFeatureSpec = (request: RecipeRequest): FeatureSpec => {
  const { intervalMs, horizon, historySteps, zone, holidays, covariates = [] } = request
  const day = dayMs / intervalMs
  const reach = Math.min(limits.contextLengthMax, Math.floor(historySteps / 4))
  const week = seasonWithin(7 * day, historySteps, horizon)
  const daily = seasonWithin(day, historySteps, horizon)
  const season = week ?? daily
  const span = Math.max(1, daily ?? Math.min(day, reach))
  const context = season ?? span
  const shared: SharedTerm[] = [
    // The first mean and deviation are what learners normalise by: the longest are the steadiest.
    { kind: 'statistics', over: context, of: ['mean', 'deviation'] },
    { kind: 'lags', lags: thinnedLags(span) },
    { kind: 'calendar', parts: [{ kind: 'day-profile', by: 'day-type', order: 4 }, { kind: 'day-of-week' }] },
  ]
  if (span < context) shared.push({ kind: 'statistics', over: span, of: ['mean', 'deviation', 'min', 'max'] })
  if (historySteps >= 365 * day)
    shared.push({ kind: 'calendar', parts: [{ kind: 'day-of-year-harmonics', order: 2 }] })

  const step: StepTerm[] = [{ kind: 'calendar', parts: [{ kind: 'day-type' }] }]
  if (season !== undefined) step.push({ kind: 'seasonal-lag', seasonSteps: season, count: 1 })
  // Thinned lags do not hold yesterday's value at every phase.
  if (week !== undefined && span > lagsMax) step.push({ kind: 'seasonal-lag', seasonSteps: day, count: 1 })
  for (const { name, knots } of covariates) {
    step.push({ kind: 'covariate', name, knots: [...knots], lag: 0, averageSteps: 1 })
  }
  return featureSpecSchema.parse({
    v: 1,
    intervalMs,
    horizon,
    seasonSteps: daily ?? context,
    missingMax: Math.floor(context / 4),
    zone,
    holidays,
    shared,
    step,
  })
}

const seasonWithin = (steps: number, historySteps: number, horizon: number): number | undefined =>
  steps <= limits.contextLengthMax && historySteps >= 2 * steps + 2 * horizon ? steps : undefined

/** 1 … span, dense at first and then ever wider apart, at most `lagsMax` of them. */
const thinnedLags = (span: number): number[] => {
  if (span <= lagsMax) return Array.from({ length: span }, (_, i) => i + 1)
  const dense = lagsMax / 2
  const growth = (span / dense) ** (1 / (lagsMax - dense))
  const sparse = Array.from({ length: lagsMax - dense }, (_, i) => Math.round(dense * growth ** (i + 1)))
  return [...new Set([...Array.from({ length: dense }, (_, i) => i + 1), ...sparse])]
}
