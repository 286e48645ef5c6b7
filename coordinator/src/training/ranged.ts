/**
 * Any trained model with quantiles: those it has learned itself, or else where its errors on the validation part lay.
 * That costs two small ridge regressions and no second training, so every learner can afford it, and an average too.
 */
import type { LearnerParts, TrainedModel, TrainingExamples, TrainingRun } from './learner.ts'
import { usualNormalisation } from './normalisation.ts'
import { withResidualQuantiles } from './residual-quantiles.ts'
import { ridge } from './ridge.ts'
import { evenly, fitSpread, type FitLinear } from './spread.ts'

/** As it is where none are asked for, or where values are missing: a linear map has no answer to them. */
export const withQuantiles = async (
  model: TrainedModel,
  probabilities: readonly number[],
  parts: LearnerParts,
  examples: TrainingExamples,
  run: TrainingRun,
): Promise<TrainedModel> => {
  const { builder, train, validation } = examples
  if (model.quantiles !== undefined || probabilities.length === 0) return model
  if (train.features.some(Number.isNaN) || validation.features.some(Number.isNaN)) return model
  const quietly = { ...run, onProgress: () => undefined }
  const fit: FitLinear = (some, wishes) =>
    ridge.train(parts, some, ridge.parametersSchema.parse({ ...wishes, refit: false }), quietly)
  const fewer = { ...examples, train: evenly(train, builder) }
  const base = await fit(fewer, { normalisation: usualNormalisation(builder) })
  const spread = await fitSpread(fit, fewer, base.forecast)
  const spreads = spread.forecast(validation.features, validation.rows)
  return withResidualQuantiles(model, spread, spreads, probabilities)
}
