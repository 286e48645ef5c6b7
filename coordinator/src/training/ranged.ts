/**
 * Any trained model with quantiles: those it has learned itself, or else where its errors on the validation part lay.
 * That costs two ridge regressions on some of the rows and no second training: every learner can afford it, an average too.
 */
import type { LearnerParts, TrainedModel, TrainingExamples, TrainingRun } from './learner.ts'
import { usualNormalisation } from './normalisation.ts'
import { withResidualQuantiles } from './residual-quantiles.ts'
import { ridge } from './ridge.ts'
import { evenly, fitSpread, type FitLinear } from './spread.ts'

/** Of the ridge whose errors are looked at: about what is chosen for loads, and nothing hangs on it. */
const usualPenalty = 0.01

/**
 * As it is where none are asked for. Where features are missing there are none either, for a linear map has no answer to
 * them: its parameters then say `residualQuantiles: []`.
 */
export const withQuantiles = async (
  model: TrainedModel,
  probabilities: readonly number[],
  parts: LearnerParts,
  examples: TrainingExamples,
  run: TrainingRun,
): Promise<TrainedModel> => {
  const { builder, train, validation } = examples
  if (model.quantiles !== undefined || probabilities.length === 0) return model
  if (train.features.some(Number.isNaN) || validation.features.some(Number.isNaN)) {
    return { ...model, parameters: toldOf(model.parameters, []) }
  }
  const quietly = { ...run, onProgress: () => undefined }
  const fit: FitLinear = (some, wishes) =>
    ridge.train(parts, some, ridge.parametersSchema.parse({ ...wishes, refit: false }), quietly)
  const fewer = { ...examples, train: evenly(train, builder) }
  const base = await fit(fewer, { normalisation: usualNormalisation(builder), lambdas: [usualPenalty] })
  const spread = await fitSpread(fit, fewer, base.forecast)
  const spreads = spread.forecast(validation.features, validation.rows)
  const ranged = withResidualQuantiles(model, spread, spreads, probabilities)
  return { ...ranged, parameters: toldOf(model.parameters, probabilities) }
}

/** Beside the learner's own parameters, whose `quantiles` would mean that it has learned them. */
const toldOf = (parameters: unknown, residualQuantiles: readonly number[]): object => {
  const { quantiles: _, ...own } = parameters as Readonly<Record<string, unknown>>
  return { ...own, residualQuantiles }
}
