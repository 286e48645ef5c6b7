/**
 * Ridge regression in closed form, one regression per step of the horizon. λ is chosen on the validation part over a
 * grid; then, unless told otherwise, the weights are refitted on both parts. `shared`: every step sees every column.
 * `per-step`: a step sees the shared columns and its own.
 */
import { quantilesSchema } from '@imlma/protocol/manifest'
import { errorSumsOf } from '@imlma/protocol/metrics'
import { z } from 'zod'
import type { Examples } from './examples.ts'
import { addGrams, addProduct, emptyGram, type GramSums } from './gram.ts'
import type { FeatureLayout, Learner, LearnerParts, TrainingExamples, TrainingRun } from './learner.ts'
import { forecastLinear, linearGraph, standardiseRow, type LinearModel } from './linear-model.ts'
import { momentsOf } from './moments.ts'
import {
  levelOf,
  normalisationSchema,
  planNormalisation,
  scaleOf,
  usualNormalisation,
} from './normalisation.ts'
import { withResidualQuantiles } from './residual-quantiles.ts'
import { fitSpread, type FitLinear } from './spread.ts'
import { solveRidge, squaredErrorsOf, type Design } from './ridge-solve.ts'

const ridgeParametersSchema = z.object({
  form: z.enum(['shared', 'per-step']).default('per-step'),
  /** Left out: by mean and deviation where the features hold them, else by the last value, else none. */
  normalisation: normalisationSchema.optional(),
  /** Penalties to choose from, per row and per standardised column. */
  lambdas: z
    .array(z.number().positive())
    .min(1)
    .max(64)
    .default([1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1]),
  /** The one that was chosen; a result, not a wish. */
  lambda: z.number().positive().optional(),
  /** Probabilities of a second output, e.g. .1, .5, .9: where the validation part's errors lay. */
  quantiles: quantilesSchema.default([]),
  /** Whether the weights are fitted once more on training and validation part together. */
  refit: z.boolean().default(true),
})

export type RidgeParameters = z.infer<typeof ridgeParametersSchema>

/** Rows per product: the blocks of 500 columns stay in the processor's cache. */
const blockRows = 1_024

export const ridge = {
  name: 'ridge',
  parametersSchema: ridgeParametersSchema,
  // λ is chosen from its grid in one training: the Gram sums are the dear part.
  space: { form: { kind: 'categorical', choices: ['per-step', 'shared'] } },
  train: async (
    parts: LearnerParts,
    examples: TrainingExamples<FeatureLayout>,
    parameters: RidgeParameters,
    run: TrainingRun,
  ) => {
    const { builder, train, validation } = examples
    const choice = parameters.normalisation ?? usualNormalisation(builder)
    const normalisation = planNormalisation(builder, choice)
    const standard = {
      features: builder.count,
      normalisation,
      ...momentsOf(builder.count, normalisation, train),
    }
    const design = designOf(examples, parameters)
    const fitted = await gramOf(parts, examples, standard, train, run, [0, 0.5])
    // One penalty needs no choosing.
    const judges = parameters.refit || parameters.lambdas.length > 1
    const checkedRows = judges ? validation : { ...validation, rows: 0 }
    const checked = await gramOf(parts, examples, standard, checkedRows, run, [0.5, 0.7])

    let best: { lambda: number; loss: number; weights: Float64Array } = {
      lambda: 0,
      loss: Infinity,
      weights: new Float64Array(0),
    }
    for (const [i, lambda] of parameters.lambdas.entries()) {
      run.signal.throwIfAborted()
      const weights = solveRidge(fitted, design, lambda)
      const loss =
        squaredErrorsOf(checked, weights).reduce((sum, error) => sum + error, 0) /
        (Math.max(1, checked.rows) * builder.horizon)
      if (loss < best.loss) best = { lambda, loss, weights }
      run.onProgress({
        phase: 'validate',
        fraction: 0.7 + (0.25 * (i + 1)) / parameters.lambdas.length,
        loss,
      })
      await breathe()
    }

    const chosen = toModel(standard, builder.horizon, best.weights)
    const forecasts = forecastLinear(chosen, validation.features, validation.rows)
    const final = parameters.refit
      ? toModel(standard, builder.horizon, solveRidge(addGrams(fitted, checked), design, best.lambda))
      : chosen
    run.onProgress({ phase: 'refit', fraction: 1, loss: best.loss })
    const model = {
      graph: linearGraph(final, 'ridge'),
      forecast: (features: Float32Array, rows: number) => forecastLinear(final, features, rows),
      parameters: { ...parameters, normalisation: choice, lambda: best.lambda },
      validation: errorSumsOf(forecasts, validation.targets),
      residuals: Float32Array.from(forecasts, (forecast, i) => forecast - (validation.targets[i] as number)),
    }
    if (parameters.quantiles.length === 0) return model
    const fit: FitLinear = (some, wishes) => {
      const settings = ridgeParametersSchema.parse({ ...wishes, form: parameters.form, refit: false })
      return ridge.train(parts, some, settings, { ...run, onProgress: () => undefined })
    }
    const spread = await fitSpread(fit, examples, (rows, number) => forecastLinear(chosen, rows, number))
    const spreads = spread.forecast(validation.features, validation.rows)
    return withResidualQuantiles(model, spread, spreads, parameters.quantiles)
  },
} satisfies Learner<RidgeParameters>

type Standard = Pick<LinearModel, 'features' | 'normalisation' | 'means' | 'deviations'>

const designOf = ({ builder }: TrainingExamples<FeatureLayout>, { form }: RidgeParameters): Design =>
  form === 'shared'
    ? { shared: 1 + builder.count, perStep: 0 }
    : { shared: 1 + builder.sharedCount, perStep: builder.stepCount }

const gramOf = async (
  { products }: LearnerParts,
  { builder: { count, horizon } }: TrainingExamples<FeatureLayout>,
  standard: Standard,
  { features, targets, rows }: Examples,
  run: TrainingRun,
  [from, to]: readonly [number, number],
): Promise<GramSums> => {
  const size = count + 1
  let sums = emptyGram(size, horizon)
  for (let first = 0; first < rows; first += blockRows) {
    run.signal.throwIfAborted()
    const block = Math.min(blockRows, rows - first)
    const left = new Float64Array(block * size)
    const right = new Float64Array(block * (size + horizon))
    const normalisedTargets = new Float64Array(block * horizon)
    for (let i = 0; i < block; i++) {
      const offset = (first + i) * count
      const level = levelOf(standard.normalisation, features, offset)
      const scale = scaleOf(standard.normalisation, features, offset, level)
      left[i * size] = 1
      standardiseRow(standard, features, offset, level, scale, left, i * size + 1)
      for (let step = 0; step < horizon; step++) {
        normalisedTargets[i * horizon + step] =
          ((targets[(first + i) * horizon + step] as number) - level) / scale
      }
      right.set(left.subarray(i * size, (i + 1) * size), i * (size + horizon))
      right.set(normalisedTargets.subarray(i * horizon, (i + 1) * horizon), i * (size + horizon) + size)
    }
    sums = addProduct(sums, await products.transposedProduct(left, right, block), normalisedTargets, block)
    run.onProgress({ phase: 'train', fraction: from + ((to - from) * (first + block)) / rows })
  }
  return sums
}

const toModel = (standard: Standard, horizon: number, weights: Float64Array): LinearModel => ({
  ...standard,
  horizon,
  intercepts: Float32Array.from(weights.subarray(0, horizon)),
  weights: Float32Array.from(weights.subarray(horizon)),
})

/** Lets a cancellation in between two long computations. */
const breathe = (): Promise<void> => Promise.resolve()
