/**
 * The baseline that every model must beat: the forecast is the latest known value at the same phase of the season.
 * As a model it is a linear map that picks one column per step.
 */
import { seasonalLagOf, type FeatureBuilder } from '@imlma/protocol/features'
import { errorSumsOf } from '@imlma/protocol/metrics'
import { Failure, invariant } from '@imlma/protocol/result'
import { z } from 'zod'
import type { Learner } from './learner.ts'
import { forecastLinear, linearGraph, type LinearModel } from './linear-model.ts'
import { planNormalisation } from './normalisation.ts'

const seasonalNaiveParametersSchema = z.object({
  /** Left out: of the spec's seasons the one that forecasts the validation part best. */
  seasonSteps: z.int().min(1).optional(),
})

export type SeasonalNaiveParameters = z.infer<typeof seasonalNaiveParametersSchema>

export const seasonalNaive: Learner<SeasonalNaiveParameters> = {
  name: 'seasonal-naive',
  parametersSchema: seasonalNaiveParametersSchema,
  space: {},
  train: async (_parts, { builder, validation }, parameters, run) => {
    const seasons = parameters.seasonSteps === undefined ? seasonsOf(builder) : [parameters.seasonSteps]
    const [first, ...others] = seasons.map((seasonSteps) => {
      const model = seasonalNaiveModel(builder, seasonSteps)
      const forecasts = forecastLinear(model, validation.features, validation.rows)
      return { seasonSteps, model, forecasts, errors: errorSumsOf(forecasts, validation.targets) }
    })
    invariant(first !== undefined, 'a spec has at least one season')
    const best = others.reduce((a, b) => (b.errors.squaredErrorSum < a.errors.squaredErrorSum ? b : a), first)
    run.onProgress({ phase: 'validate', fraction: 1 })
    return {
      graph: linearGraph(best.model, 'seasonal_naive'),
      forecast: (features, rows) => forecastLinear(best.model, features, rows),
      parameters: { seasonSteps: best.seasonSteps },
      validation: best.errors,
      residuals: Float32Array.from(
        best.forecasts,
        (forecast, i) => forecast - (validation.targets[i] as number),
      ),
    }
  },
}

/** The seasons of a spec whose values its rows hold for every step; where there is none, its own for the error. */
const seasonsOf = (builder: FeatureBuilder): readonly number[] => {
  const { spec } = builder
  const named = spec.step.flatMap((term) => (term.kind === 'seasonal-lag' ? [term.seasonSteps] : []))
  const held = [...new Set([...named, spec.seasonSteps])].filter((season) =>
    columnsOf(builder, season).every((column) => column >= 0),
  )
  return held.length > 0 ? held : [spec.seasonSteps]
}

/** Per step the column with the latest known value of its phase; −1 where there is none. */
const columnsOf = ({ names, horizon }: FeatureBuilder, seasonSteps: number): readonly number[] => {
  const columns = new Map(names.map((name, column) => [name, column]))
  return Array.from(
    { length: horizon },
    (_, i) =>
      columns.get(`step ${i + 1} seasonal ${seasonSteps} × 1`) ??
      columns.get(`lag ${seasonalLagOf(seasonSteps, 1, i + 1)}`) ??
      -1,
  )
}

/** Throws `Failure` FEATURES_MISSING where the spec has no column for a step's phase. */
const seasonalNaiveModel = (builder: FeatureBuilder, seasonSteps: number): LinearModel => {
  const { count, horizon } = builder
  const weights = new Float32Array(count * horizon)
  columnsOf(builder, seasonSteps).forEach((column, i) => {
    if (column < 0) {
      throw new Failure(
        'FEATURES_MISSING',
        `the features hold no value ${seasonSteps} steps before step ${i + 1}`,
        {
          hint: 'add a seasonal lag of that season to the feature spec',
        },
      )
    }
    weights[column * horizon + i] = 1
  })
  return {
    features: count,
    horizon,
    normalisation: planNormalisation(builder, { level: 'none', scale: 'none' }),
    means: new Float32Array(count),
    deviations: new Float32Array(count).fill(1),
    weights,
    intercepts: new Float32Array(horizon),
  }
}
