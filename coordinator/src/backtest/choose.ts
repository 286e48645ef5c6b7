/**
 * Who forecasts? Decided on the validation part alone: one learner on each of the task's features, or a study over
 * learners, parameters and features together. The best few of either may be averaged.
 */
import type { FeatureSpec } from '@imlma/protocol/features'
import { metricsOf } from '@imlma/protocol/metrics'
import { rollingOrigin, type TrainingSplit } from '../datasets/split.ts'
import { averageOfBest, findModel, type Winner } from '../training/auto/find-model.ts'
import { keepLatest } from '../training/auto/keep-latest.ts'
import { noErrors, withFold, type TrialErrors } from '../training/auto/trial-errors.ts'
import { choicesOf } from '../training/feature-choices.ts'
import type { Graph } from '../training/graph.ts'
import type { Learner, LearnerParts, TrainingRun } from '../training/learner.ts'
import { learnerNamed, learnersNamed, tunableLearners } from '../training/learners.ts'
import { parametersFor } from '../training/parameters-for.ts'
import { prepareExamples } from '../training/prepare.ts'
import { withQuantiles } from '../training/ranged.ts'
import { withFixed } from '../training/with-fixed.ts'
import type { Material } from './material.ts'
import { createReporter } from './progress.ts'
import type { BacktestTask } from './task.ts'

export interface ChooseParts {
  readonly parts: LearnerParts
  /** Seconds of a clock that never goes back. */
  readonly seconds: () => number
  /** Progress, a line at a time. */
  readonly say: (line: string) => void
}

export interface Chosen {
  /** `average` where several are. */
  readonly learner: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly features: string
  readonly spec: FeatureSpec
  readonly graph: Graph
  /** Probabilities of the graph's second output; none where it has no such. */
  readonly quantiles: readonly number[]
  /** Of the metric that chose, before the model saw the validation part. */
  readonly validation: number
  readonly trials: number
}

/** Throws `Failure` UNKNOWN_LEARNER, BAD_PARAMETERS, TOO_FEW_ROWS, NO_TRIAL. */
export const choose = async (
  task: BacktestTask,
  material: Material,
  specs: Readonly<Record<string, FeatureSpec>>,
  using: ChooseParts,
): Promise<Chosen> => {
  if (task.learner !== 'auto') return chooseFeatures(task, material, specs, using)
  const named = task.learners === undefined ? tunableLearners : learnersNamed(task.learners)
  const { winner, trials } = await search(
    task,
    material,
    specs,
    named.map((learner) => asTaskSays(learner, task)),
    using,
  )
  return { ...(await train(task, material, winner, using)), trials }
}

/** What the task sets is the learner's default, and no trial changes it. */
const asTaskSays = (learner: Learner, { parameters }: BacktestTask): Learner =>
  withFixed(learner, parameters[learner.name] ?? {})

/** One learner on each of the features; the best of them, or the best few together where the task allows it. */
const chooseFeatures = async (
  task: BacktestTask,
  material: Material,
  specs: Readonly<Record<string, FeatureSpec>>,
  using: ChooseParts,
): Promise<Chosen> => {
  const learner = asTaskSays(learnerNamed(task.learner), task)
  const trained: Trained[] = []
  for (const [features, spec] of Object.entries(specs))
    trained.push(await train(task, material, { learner, parameters: {}, features, spec }, using))
  const ranked = trained.toSorted((a, b) => a.validation - b.validation)
  const candidates = ranked.flatMap(({ features, spec, validation: value, errors }) =>
    errors === undefined ? [] : [{ learner, parameters: {}, features, spec, value, errors }],
  )
  const average = task.average ? averageOfBest(candidates, task.metric) : undefined
  const [best] = ranked as [Trained]
  return {
    ...(average === undefined ? best : await train(task, material, average, using)),
    trials: trained.length,
  }
}

const search = async (
  task: BacktestTask,
  material: Material,
  specs: Readonly<Record<string, FeatureSpec>>,
  learners: readonly Learner[],
  { parts, seconds, say }: ChooseParts,
): Promise<{ readonly winner: Winner; readonly trials: number }> => {
  const splits = rollingOrigin(material.split, { ...task, intervalMs: material.intervalMs })
  const { winner, state } = await findModel(
    {
      learners,
      parts,
      prepare: keepLatest((spec, fold) =>
        prepareExamples(material.content, spec, splits[fold] as TrainingSplit, {
          originStride: task.stride,
          rowsMax: task.rowsMax,
        }),
      ),
      seconds: task.costAware ? seconds : untilOver(seconds, task.secondsMax),
      ...createReporter(task, seconds, say),
    },
    {
      features: choicesOf(specs),
      folds: splits.length,
      trials: task.trials,
      seed: task.seed,
      secondsMax: task.secondsMax,
      metric: task.metric,
      discard: task.discard,
      average: task.average,
    },
  )
  return { winner, trials: state.trials.length }
}

/** A clock that stands still until the time is over: no trial has taken any. */
const untilOver = (seconds: () => number, secondsMax: number): (() => number) => {
  const startedAt = seconds()
  return () => (seconds() - startedAt < secondsMax ? 0 : secondsMax)
}

interface Trained extends Omit<Chosen, 'trials'> {
  /** Of the validation part, where the learner judged itself on all of it. */
  readonly errors?: TrialErrors | undefined
}

/** The last training: on the whole training part, once more with the validation part where the task says so. */
const train = async (
  task: BacktestTask,
  material: Material,
  { learner, parameters, features, spec }: Omit<Winner, 'value'>,
  { parts, say }: ChooseParts,
): Promise<Trained> => {
  const examples = prepareExamples(material.content, spec, material.split, {
    originStride: task.stride,
    rowsMax: task.rowsMax,
  })
  const run: TrainingRun = {
    seed: task.seed,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  }
  const settings = parametersFor(learner, { refit: task.refit, ...parameters })
  const point = await learner.train(parts, examples, settings, run)
  const trained = await withQuantiles(point, task.quantiles, parts, examples, run)
  const validation = metricsOf(trained.validation)[task.metric] ?? Infinity
  say(`${learner.name} on ${features}: validation ${task.metric} ${validation.toPrecision(5)}`)
  return {
    learner: learner.name,
    parameters: trained.parameters as Readonly<Record<string, unknown>>,
    features,
    spec,
    graph: trained.graph,
    quantiles: trained.quantiles?.probabilities ?? [],
    validation,
    errors: withFold(noErrors, trained, examples.validation, 0),
  }
}
