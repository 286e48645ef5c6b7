/**
 * The ridge forecast that trees may correct. What trees learn from must be errors as they will meet them: a row of
 * the training part is forecast by a ridge that was fitted without its stretch of time (cross-fitting), the
 * validation part by one that knows the training part only.
 */
import { Failure } from '@imlma/protocol/result'
import type { Examples } from '../examples.ts'
import type { Graph } from '../graph.ts'
import type { FeatureLayout, LearnerParts, TrainingExamples, TrainingRun } from '../learner.ts'
import type { NormalisationChoice } from '../normalisation.ts'
import { ridge, type RidgeParameters } from '../ridge.ts'

export interface Offset {
  readonly graph: Graph
  /** rows × F → rows × H, raw units. */
  forecast(features: Float32Array, rows: number): ArrayLike<number>
}

export interface Offsets {
  /** rows × H each, raw units: forecasts by models that did not know the rows. */
  readonly train: Float32Array
  readonly validation: Float32Array
  /** Fitted on the training part, and on both. */
  readonly before: Offset
  readonly refitted: () => Promise<Offset>
}

/** Stretches of time that are left out in turn; more change little and each costs a fit. */
const folds = 5

/** Throws `Failure` BAD_PARAMETERS where values are missing: a linear map has no answer to them. */
export const ridgeOffsets = async (
  parts: LearnerParts,
  examples: TrainingExamples<FeatureLayout>,
  normalisation: NormalisationChoice,
  run: TrainingRun,
): Promise<Offsets> => {
  const { builder, train, validation } = examples
  if (train.features.some(Number.isNaN)) {
    throw new Failure('BAD_PARAMETERS', 'ridge cannot be the base: the features have missing values', {
      hint: 'choose the base none; trees know what to do with a missing value',
    })
  }
  const quietly = { ...run, onProgress: () => undefined }
  const fit = (some: TrainingExamples<FeatureLayout>, wishes: Partial<RidgeParameters>) =>
    ridge.train(parts, some, ridge.parametersSchema.parse({ normalisation, ...wishes }), quietly)

  const before = await fit(examples, { refit: false })
  const lambdas = [before.parameters.lambda]
  const honest = new Float32Array(train.rows * builder.horizon)
  for (let fold = 0; fold < folds; fold++) {
    const [from, to] = [fold, fold + 1].map((i) => Math.floor((i * train.rows) / folds)) as [number, number]
    if (from === to) continue
    const left = rowsOf(train, builder, from, to)
    const others = withoutRows(train, builder, from, to)
    const { residuals } = await fit({ builder, train: others, validation: left }, { lambdas, refit: false })
    honest.set(forecastsOf(residuals, left), from * builder.horizon)
  }
  return {
    train: honest,
    validation: forecastsOf(before.residuals, validation),
    before,
    refitted: () => fit(examples, { lambdas, refit: true }),
  }
}

const forecastsOf = (residuals: Float32Array, { targets }: Pick<Examples, 'targets'>): Float32Array =>
  residuals.map((residual, i) => residual + (targets[i] as number))

type Widths = Pick<FeatureLayout, 'count' | 'horizon'>

const rowsOf = (
  { features, targets, series, origins, dropped }: Examples,
  { count, horizon }: Widths,
  from: number,
  to: number,
): Examples => ({
  rows: to - from,
  features: features.subarray(from * count, to * count),
  targets: targets.subarray(from * horizon, to * horizon),
  series: series.subarray(from, to),
  origins: origins.subarray(from, to),
  dropped,
})

const withoutRows = (examples: Examples, widths: Widths, from: number, to: number): Examples => {
  const { series, origins } = examples
  const [head, tail] = [rowsOf(examples, widths, 0, from), rowsOf(examples, widths, to, examples.rows)]
  return {
    rows: head.rows + tail.rows,
    features: joined(head.features, tail.features),
    targets: joined(head.targets, tail.targets),
    series: series.filter((_, row) => row < from || row >= to),
    origins: origins.filter((_, row) => row < from || row >= to),
    dropped: examples.dropped,
  }
}

const joined = (head: Float32Array, tail: Float32Array): Float32Array => {
  const whole = new Float32Array(head.length + tail.length)
  whole.set(head)
  whole.set(tail, head.length)
  return whole
}
