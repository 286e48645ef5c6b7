/**
 * Recurrent network for forecasting: a GRU reads the lags in the order of time and learns what a ridge forecast (or the
 * row's level) leaves unexplained. TensorFlow.js trains it, ONNX Runtime serves it; what both answer is compared here,
 * in standardised units, because a forecast near zero has no relative precision. The validation part says for how many
 * epochs, then as many are run on both parts together.
 */
import { errorSumsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import type { Fit } from '../engine/fit.ts'
import type { Rows } from '../engine/problem.ts'
import type { Examples } from '../examples.ts'
import type { Graph } from '../graph.ts'
import { parityMax } from '../job.ts'
import type { FeatureLayout, Learner, LearnerParts, TrainingExamples, TrainingRun } from '../learner.ts'
import { momentsOf } from '../moments.ts'
import { planNormalisation, usualNormalisation, type NormalisationChoice } from '../normalisation.ts'
import { fitRidgeBase } from '../perceptron/base.ts'
import { joined, refuseMissing, within } from '../perceptron/perceptron.ts'
import { residualsOf, standardiseTargets, targetScaleOf } from '../perceptron/targets.ts'
import type { RecurrentPasses } from './engine.ts'
import { fitRecurrent } from './fit-recurrent.ts'
import type { Network } from './network.ts'
import { recurrentParametersSchema, recurrentSpace, type RecurrentParameters } from './parameters.ts'
import { recurrentGraph, type RecurrentModel } from './recurrent-graph.ts'
import { createRowPasses, spreadRows } from './row-passes.ts'
import { runRecurrent, standardised } from './run-recurrent.ts'
import { planSequence } from './sequence.ts'

/** Of the whole way, what the search for the number of epochs takes where a refit follows. */
const searchFraction = 0.5

/** Rows on which both runtimes are compared. */
const comparedRows = 512

export const recurrent = {
  name: 'recurrent',
  parametersSchema: recurrentParametersSchema,
  space: recurrentSpace,
  train: async (
    parts: LearnerParts,
    examples: TrainingExamples<FeatureLayout>,
    parameters: RecurrentParameters,
    run: TrainingRun,
  ) => {
    const { builder, train, validation } = examples
    refuseMissing(train, 'a recurrent network')
    const { sessions } = parts
    const choice = parameters.normalisation ?? usualFor(builder)
    const network = networkOf(examples, parameters, choice)
    const passes = await parts.recurrent.open(network.sizes, parameters.loss)
    const bases = parameters.base === 'none' ? null : await fitRidgeBase(parts, examples, choice, run)
    const before = bases?.before ?? null
    const residuals = await residualsOf(sessions, network.normalisation, before, train)
    const scale = targetScaleOf(residuals, builder.horizon)
    const trainer = { parts, passes, network, scale, parameters, run }

    const searched = await fitOn(trainer, before, { train, validation }, [
      0,
      parameters.refit ? searchFraction : 1,
    ])
    const honest: RecurrentModel = { network, scale, base: before, weights: searched.weights }
    const { forecast: forecasts } = await runRecurrent(sessions, honest, validation)

    const epochsKept = searched.best.epoch
    const final = parameters.refit
      ? await refit(trainer, (await bases?.refitted()) ?? null, examples, epochsKept)
      : honest
    await compare(trainer, final, validation)
    run.onProgress({ phase: 'refit', fraction: 1 })
    return {
      graph: recurrentGraph(final, 'constant'),
      forecast: async (features: Float32Array, rows: number) =>
        (await runRecurrent(sessions, final, { features, rows })).forecast,
      parameters: { ...parameters, epochsKept },
      validation: errorSumsOf(forecasts, validation.targets),
      residuals: forecasts.map((value, i) => value - (validation.targets[i] as number)),
    }
  },
} satisfies Learner<RecurrentParameters>

/** What does not change during one training. */
interface Trainer {
  readonly parts: LearnerParts
  readonly passes: RecurrentPasses
  readonly network: Network
  readonly scale: RecurrentModel['scale']
  readonly parameters: RecurrentParameters
  readonly run: TrainingRun
}

/** A sequence that is freed of its last value is easier to follow than a raw one. */
const usualFor = (builder: FeatureLayout): NormalisationChoice => {
  const usual = usualNormalisation(builder)
  return usual.level === 'none' && builder.names.includes('lag 1') ? { level: 'last', scale: 'none' } : usual
}

const networkOf = (
  { builder, train }: TrainingExamples<FeatureLayout>,
  { stepsMax, units, head }: RecurrentParameters,
  choice: NormalisationChoice,
): Network => {
  const plan = planSequence(builder, stepsMax)
  const normalisation = planNormalisation(builder, choice)
  const { steps, inputs, rest } = plan
  return {
    count: builder.count,
    sizes: { steps, inputs, units, rest: rest.length, head, horizon: builder.horizon },
    plan,
    normalisation,
    ...momentsOf(builder.count, normalisation, train),
  }
}

type RawRows = Pick<Examples, 'rows' | 'features' | 'targets'>

/** `share` of the whole way; without a validation part as many epochs as `epochs` says. */
const fitOn = async (
  { parts: { sessions }, passes, network, scale, parameters, run }: Trainer,
  base: Graph | null,
  { train, validation }: { readonly train: RawRows; readonly validation?: RawRows },
  [from, to]: readonly [from: number, to: number],
  epochs?: number,
): Promise<Fit> => {
  const { epochsMax } = parameters
  const rowsOf = async (raw: RawRows): Promise<Rows> => ({
    rows: raw.rows,
    features: await standardised(sessions, network, raw),
    targets: standardiseTargets(await residualsOf(sessions, network.normalisation, base, raw), scale),
  })
  const onProgress = within(run, epochs === undefined ? 'train' : 'refit', from, to)
  return fitRecurrent(
    passes,
    network,
    { train: await rowsOf(train), ...(validation && { validation: await rowsOf(validation) }) },
    { ...parameters, ...(epochs !== undefined && { stopAfterEpochs: epochs, patience: epochsMax }) },
    {
      seed: run.seed,
      signal: run.signal,
      onEpoch: ({ epoch, trainLoss, validationLoss }) =>
        onProgress({
          phase: 'train',
          fraction: epoch / (epochs ?? epochsMax),
          loss: Number.isNaN(validationLoss) ? trainLoss : validationLoss,
        }),
    },
  )
}

/** The same network on all rows, for as many epochs, around a base that knows all rows too. */
const refit = async (
  trainer: Trainer,
  base: Graph | null,
  { train, validation }: TrainingExamples<FeatureLayout>,
  epochs: number,
): Promise<RecurrentModel> => {
  const all = {
    rows: train.rows + validation.rows,
    features: joined(train.features, validation.features),
    targets: joined(train.targets, validation.targets),
  }
  const { weights } = await fitOn(trainer, base, { train: all }, [searchFraction, 1], epochs)
  return { network: trainer.network, scale: trainer.scale, base, weights }
}

/** Throws `Failure` PARITY where the graph does not answer as its trainer does. */
const compare = async (
  { parts: { sessions }, passes, network, run }: Trainer,
  model: RecurrentModel,
  { rows, features }: RawRows,
): Promise<void> => {
  const { count, sizes } = network
  const length = Math.min(rows, comparedRows)
  const some = { rows: length, features: new Float32Array(length * count) }
  for (const [i, row] of spreadRows(rows, length).entries())
    some.features.set(features.subarray(row * count, (row + 1) * count), i * count)
  const { answer } = await runRecurrent(sessions, model, some)
  const seen = { features: await standardised(sessions, network, some) }
  const own = await createRowPasses(passes, network, run.signal).answers(
    model.weights,
    seen,
    spreadRows(length, length),
  )
  const gap = own.reduce((worst, value, i) => {
    const difference = Math.abs(value - (answer[i] as number))
    return Math.max(worst, difference / Math.max(1, Math.abs(value)))
  }, 0)
  if (gap <= parityMax) return
  throw new Failure(
    'PARITY',
    `the graph of ${sizes.steps} time steps is ${gap.toExponential(1)} away from its trainer`,
    { hint: 'this is an error in the export: keep the dataset, and train with the learner perceptron' },
  )
}
