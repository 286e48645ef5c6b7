/**
 * The baseline that every model must beat: the forecast is the latest known value at the same phase of the season.
 * As a model it is a linear map that picks one column per step.
 */
import { seasonalLagOf, type FeatureBuilder } from '@imlma/protocol/features'
import { errorSumsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import type { Learner } from './learner.ts'
import { forecastLinear, linearGraph, type LinearModel } from './linear-model.ts'
import { planNormalisation } from './normalisation.ts'

const seasonalNaiveParametersSchema = z.object({ seasonSteps: z.int().min(1) })

export type SeasonalNaiveParameters = z.infer<typeof seasonalNaiveParametersSchema>

export const seasonalNaive: Learner<SeasonalNaiveParameters> = {
  name: 'seasonal-naive',
  parametersSchema: seasonalNaiveParametersSchema,
  train: async (_parts, { builder, validation }, parameters, run) => {
    const model = seasonalNaiveModel(builder, parameters.seasonSteps)
    const forecasts = forecastLinear(model, validation.features, validation.rows)
    run.onProgress({ phase: 'validate', fraction: 1 })
    return {
      graph: linearGraph(model, 'seasonal_naive'),
      forecast: (features, rows) => forecastLinear(model, features, rows),
      parameters,
      validation: errorSumsOf(forecasts, validation.targets),
      residuals: Float32Array.from(forecasts, (forecast, i) => forecast - (validation.targets[i] as number)),
    }
  },
}

/** Throws `Failure` FEATURES_MISSING where the spec has no column for a step's phase. */
const seasonalNaiveModel = (builder: FeatureBuilder, seasonSteps: number): LinearModel => {
  const { count, horizon, names } = builder
  const weights = new Float32Array(count * horizon)
  for (let step = 1; step <= horizon; step++) {
    const own = names.indexOf(`step ${step} seasonal ${seasonSteps} × 1`)
    const column = own >= 0 ? own : names.indexOf(`lag ${seasonalLagOf(seasonSteps, 1, step)}`)
    if (column < 0) {
      throw new Failure(
        'FEATURES_MISSING',
        `the features hold no value ${seasonSteps} steps before step ${step}`,
        {
          hint: 'add a seasonal lag of that season to the feature spec',
        },
      )
    }
    weights[column * horizon + step - 1] = 1
  }
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
