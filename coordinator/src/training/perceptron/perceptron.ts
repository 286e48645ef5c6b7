/**
 * Multilayer perceptron for forecasting and for plain regression. A few networks learn what a ridge forecast (or the
 * row's level) leaves unexplained; the validation part says for how many epochs, then as many are run on both parts together.
 */
import { errorSumsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { fit, type Fit, type FitOptions } from '../engine/fit.ts'
import type { Rows } from '../engine/problem.ts'
import type { GraphSessions } from '../engine/session.ts'
import type { Examples } from '../examples.ts'
import type { Graph } from '../graph.ts'
import type { FeatureLayout, Learner, LearnerParts, TrainingExamples, TrainingRun } from '../learner.ts'
import { momentsOf } from '../moments.ts'
import { planNormalisation, usualNormalisation } from '../normalisation.ts'
import { fitRidgeBase } from './base.ts'
import { networkProblem, type Network } from './network.ts'
import { perceptronParametersSchema, perceptronSpace, type PerceptronParameters } from './parameters.ts'
import { perceptronGraph, type PerceptronModel } from './perceptron-graph.ts'
import { runPerceptron } from './run-perceptron.ts'
import { residualsOf, standardiseTargets, targetScaleOf } from './targets.ts'

/** Of the whole way, what the search for the number of epochs takes where a refit follows. */
const searchFraction = 0.5

export const perceptron = {
  name: 'perceptron',
  parametersSchema: perceptronParametersSchema,
  space: perceptronSpace,
  train: async (
    parts: LearnerParts,
    examples: TrainingExamples<FeatureLayout>,
    parameters: PerceptronParameters,
    run: TrainingRun,
  ) => {
    const { builder, train, validation } = examples
    refuseMissing(train, 'a perceptron')
    const { sessions } = parts
    const choice = parameters.normalisation ?? usualNormalisation(builder)
    const normalisation = planNormalisation(builder, choice)
    const bases = parameters.base === 'none' ? null : await fitRidgeBase(parts, examples, choice, run)
    const before = bases?.before ?? null
    const network: Network = {
      ...parameters,
      count: builder.count,
      horizon: builder.horizon,
      normalisation,
      ...momentsOf(builder.count, normalisation, train),
      probabilities: parameters.quantiles,
    }
    const known = await residualsOf(sessions, normalisation, before, train)
    const scale = targetScaleOf(known, builder.horizon)
    const searched = await fitMembers(
      sessions,
      network,
      {
        train: rowsOf(train, standardiseTargets(known, scale)),
        validation: rowsOf(
          validation,
          standardiseTargets(await residualsOf(sessions, normalisation, before, validation), scale),
        ),
      },
      {
        parameters,
        run: { ...run, onProgress: within(run, 'train', 0, parameters.refit ? searchFraction : 1) },
      },
    )
    const honest: PerceptronModel = {
      network,
      scale,
      base: before,
      members: searched.map(({ weights }) => weights),
    }
    const [forecasts] = await runPerceptron(sessions, honest, validation.features, validation.rows)

    const epochsKept = searched.map(({ best }) => best.epoch)
    const final = parameters.refit
      ? await refit(sessions, honest, (await bases?.refitted()) ?? null, examples, {
          parameters,
          run,
          epochsKept,
        })
      : honest
    run.onProgress({ phase: 'refit', fraction: 1 })
    return {
      graph: perceptronGraph(final, 'constant'),
      forecast: async (features: Float32Array, rows: number) =>
        (await runPerceptron(sessions, final, features, rows))[0],
      ...(parameters.quantiles.length > 0 && {
        quantiles: {
          probabilities: parameters.quantiles,
          forecast: async (features: Float32Array, rows: number) =>
            (await runPerceptron(sessions, final, features, rows))[1],
        },
      }),
      parameters: { ...parameters, epochsKept },
      validation: errorSumsOf(forecasts, validation.targets),
      residuals: forecasts.map((value, i) => value - (validation.targets[i] as number)),
    }
  },
} satisfies Learner<PerceptronParameters>

interface FitOrder {
  readonly parameters: PerceptronParameters
  readonly run: TrainingRun
  /** Left out while the validation part decides. */
  readonly epochsKept?: readonly number[]
}

const fitMembers = async (
  sessions: GraphSessions,
  network: Network,
  parts: { readonly train: Rows; readonly validation?: Rows },
  { parameters, run, epochsKept }: FitOrder,
): Promise<readonly Fit[]> => {
  const problem = networkProblem(network)
  const { epochs, patience, members } = parameters
  const options: FitOptions = { ...parameters, epochsMax: epochs, patienceEpochs: patience }
  const fits: Fit[] = []
  for (let member = 0; member < members; member++) {
    const stopAfterEpochs = epochsKept?.[member]
    fits.push(
      await fit(
        sessions,
        problem,
        parts,
        stopAfterEpochs === undefined ? options : { ...options, patienceEpochs: epochs, stopAfterEpochs },
        {
          seed: run.seed * 1_000 + member,
          signal: run.signal,
          onEpoch: ({ epoch, trainLoss, validationLoss }) =>
            run.onProgress({
              phase: 'train',
              epoch,
              fraction: (member + epoch / (stopAfterEpochs ?? epochs)) / members,
              loss: Number.isNaN(validationLoss) ? trainLoss : validationLoss,
            }),
        },
      ),
    )
  }
  return fits
}

/** The same networks on all rows, for as many epochs, around a base that knows all rows too. */
const refit = async (
  sessions: GraphSessions,
  model: PerceptronModel,
  base: Graph | null,
  { train, validation }: TrainingExamples<FeatureLayout>,
  order: FitOrder,
): Promise<PerceptronModel> => {
  const all = {
    rows: train.rows + validation.rows,
    features: joined(train.features, validation.features),
    targets: joined(train.targets, validation.targets),
  }
  const residuals = await residualsOf(sessions, model.network.normalisation, base, all)
  const fits = await fitMembers(
    sessions,
    model.network,
    { train: rowsOf(all, standardiseTargets(residuals, model.scale)) },
    { ...order, run: { ...order.run, onProgress: within(order.run, 'refit', searchFraction, 1) } },
  )
  return { ...model, base, members: fits.map(({ weights }) => weights) }
}

const rowsOf = ({ rows, features }: Pick<Examples, 'rows' | 'features'>, targets: Float32Array): Rows => ({
  rows,
  features,
  targets,
})

export const joined = (first: Float32Array, second: Float32Array): Float32Array => {
  const both = new Float32Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}

/** Progress of a part of the way. */
export const within =
  (run: TrainingRun, phase: 'train' | 'refit', from: number, to: number): TrainingRun['onProgress'] =>
  (progress) =>
    run.onProgress({ ...progress, phase, fraction: from + (to - from) * progress.fraction })

/** Throws `Failure` BAD_PARAMETERS. */
export const refuseMissing = ({ features }: Pick<Examples, 'features'>, what: string): void => {
  if (!features.some(Number.isNaN)) return
  throw new Failure('BAD_PARAMETERS', `${what} cannot be trained: the features have missing values`, {
    hint: 'choose the learner trees: they know what to do with a missing value',
  })
}
