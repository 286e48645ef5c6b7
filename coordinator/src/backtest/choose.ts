/**
 * Who forecasts? Decided on the validation part alone: one learner on each of the task's features, or a study over
 * learners, parameters and features together, whose best few may be averaged.
 */
import type { FeatureSpec } from '@imlma/protocol/features'
import { metricsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import { rollingOrigin, type TrainingSplit } from '../datasets/split.ts'
import { chooseModel, type AutoResult } from '../training/auto/auto.ts'
import { toChoice, type Choice } from '../training/auto/auto-space.ts'
import type { Graph } from '../training/graph.ts'
import type { Learner, LearnerParts, TrainingExamples } from '../training/learner.ts'
import { learnerNamed, tunableLearners } from '../training/learners.ts'
import { prepareExamples } from '../training/prepare.ts'
import { ridge } from '../training/ridge.ts'
import { averageGraph, weightsOf } from './ensemble.ts'
import type { Material } from './material.ts'
import { progressBar } from './progress.ts'
import type { BacktestTask } from './task.ts'

export interface ChooseParts {
  readonly parts: LearnerParts
  /** Seconds of a clock that never goes back. */
  readonly seconds: () => number
  /** Progress, a line at a time. */
  readonly say: (line: string) => void
}

export interface Member {
  readonly learner: string
  readonly features: string
  readonly weight: number
  readonly parameters: unknown
  readonly validation: number
}

export interface Chosen {
  readonly features: string
  readonly spec: FeatureSpec
  readonly graph: Graph
  /** Several where an average won, the heaviest first. */
  readonly members: readonly Member[]
  /** Of the metric that chose, before the model saw the validation part. */
  readonly validation: number
  readonly trials: number
}

interface Candidate {
  readonly learner: Learner
  readonly parameters: Readonly<Record<string, unknown>>
  readonly features: string
}

/** Models that are trained once more to see whether their average is better. */
const finalistsMax = 4

/** Throws `Failure` UNKNOWN_LEARNER, BAD_PARAMETERS, TOO_FEW_ROWS, NO_TRIAL. */
export const choose = async (
  task: BacktestTask,
  material: Material,
  specs: Readonly<Record<string, FeatureSpec>>,
  using: ChooseParts,
): Promise<Chosen> => {
  const names = Object.keys(specs)
  if (task.learner !== 'auto') {
    const learner = asTaskSays(learnerNamed(task.learner), task)
    const trained = []
    for (const features of names) {
      trained.push(await train(task, material, specs, { learner, parameters: {}, features }, using))
    }
    return toChosen(task, best(trained), specs, names.length)
  }
  const learners = (task.learners?.map(learnerNamed) ?? tunableLearners).map((learner) =>
    asTaskSays(learner, task),
  )
  const study = await search(task, material, specs, learners, using)
  const trained = []
  for (const candidate of finalistsOf(study, learners, task.average)) {
    trained.push(await train(task, material, specs, candidate, using))
  }
  return toChosen(task, best(trained), specs, study.state.trials.length)
}

/** What the task sets is the learner's default, and no trial changes it. */
const asTaskSays = (learner: Learner, task: BacktestTask): Learner =>
  withFixed(learner, { ...usualFor(learner, task), ...task.parameters[learner.name] })

/** Ridge normalises by a mean and a deviation; where the features hold none, by the last value or not at all. */
const usualFor = ({ name }: Learner, { kind, features }: BacktestTask): Readonly<Record<string, unknown>> => {
  if (name !== ridge.name || features?.every(({ statistics }) => statistics.length > 0) === true) return {}
  return { normalisation: { level: kind === 'regression' ? 'none' : 'last', scale: 'none' } }
}

const withFixed = (learner: Learner, fixed: Readonly<Record<string, unknown>>): Learner => ({
  ...learner,
  parametersSchema: z.looseObject({}).transform((given, context) => {
    const parsed = learner.parametersSchema.safeParse({ ...given, ...fixed })
    if (parsed.success) return parsed.data
    context.addIssue({ code: 'custom', message: z.prettifyError(parsed.error) })
    return z.NEVER
  }),
  space: Object.fromEntries(Object.entries(learner.space).filter(([name]) => !(name in fixed))),
})

const search = async (
  task: BacktestTask,
  material: Material,
  specs: Readonly<Record<string, FeatureSpec>>,
  learners: readonly Learner[],
  { parts, seconds, say }: ChooseParts,
): Promise<AutoResult> => {
  const splits = rollingOrigin(material.split, { ...task, intervalMs: material.intervalMs })
  const startedAt = seconds()
  return chooseModel(
    {
      learners,
      parts,
      prepare: keepLatest((spec, fold) =>
        prepareExamples(material.content, spec, splits[fold] as TrainingSplit, {
          originStride: task.stride,
          rowsMax: task.rowsMax,
        }),
      ),
      seconds,
      onTrial: (state, done) => {
        const values = state.trials.flatMap(({ outcome }) =>
          outcome?.kind === 'done' ? [outcome.value] : [],
        )
        const { configuration, outcome } = state.trials.at(-1) ?? {}
        const value =
          outcome?.kind === 'failed' ? `failed (${outcome.reason})` : `${outcome?.value.toPrecision(5)}`
        say(
          `${progressBar(done / task.trials)} trial ${done} of ${task.trials}: ${String(configuration?.learner)} ${task.metric} ${value}, best ${Math.min(...values).toPrecision(5)}, ${(seconds() - startedAt).toFixed(0)} s`,
        )
        return Promise.resolve()
      },
    },
    {
      features: specs,
      folds: splits.length,
      trials: task.trials,
      seed: task.seed,
      secondsMax: task.secondsMax,
      metric: task.metric,
    },
  )
}

/** The study's best, and beside it the best of every learner and the next best, all on the features of the best. */
const finalistsOf = (
  { choice, state }: AutoResult,
  learners: readonly Learner[],
  average: boolean,
): readonly Candidate[] => {
  const ranked = state.trials
    .flatMap(({ configuration, outcome }) =>
      outcome?.kind === 'done' ? [{ ...toChoice(configuration), value: outcome.value }] : [],
    )
    .toSorted((a, b) => a.value - b.value)
  const ofEach = learners.flatMap(({ name }) => ranked.find(({ learner }) => learner === name) ?? [])
  const next = ranked.filter(({ features }) => features === choice.features)
  const wanted: readonly Choice[] = average ? [choice, ...ofEach, ...next] : [choice]
  const distinct = new Map(wanted.map((one) => [JSON.stringify([one.learner, one.parameters]), one]))
  return [...distinct.values()].slice(0, finalistsMax).map(({ learner, parameters }) => ({
    learner: learners.find(({ name }) => name === learner) as Learner,
    parameters,
    features: choice.features,
  }))
}

interface Trained extends Candidate {
  readonly used: unknown
  readonly graph: Graph
  /** What the graph is told, by name. */
  readonly columns: readonly string[]
  readonly residuals: Float32Array
  readonly loss: number
}

const train = async (
  task: BacktestTask,
  material: Material,
  specs: Readonly<Record<string, FeatureSpec>>,
  candidate: Candidate,
  { parts, say }: ChooseParts,
): Promise<Trained> => {
  const { learner, features, parameters } = candidate
  const examples = prepareExamples(material.content, specs[features] as FeatureSpec, material.split, {
    originStride: task.stride,
    rowsMax: task.rowsMax,
  })
  const parsed = learner.parametersSchema.safeParse({ refit: task.refit, ...parameters })
  if (!parsed.success) {
    throw new Failure(
      'BAD_PARAMETERS',
      `${learner.name} cannot use its parameters: ${z.prettifyError(parsed.error)}`,
    )
  }
  const trained = await learner.train(parts, examples, parsed.data, {
    seed: task.seed,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  })
  const loss = metricsOf(trained.validation)[task.metric] ?? Infinity
  say(`${learner.name} on ${features}: validation ${task.metric} ${loss.toPrecision(5)}`)
  return {
    ...candidate,
    used: trained.parameters,
    graph: trained.graph,
    columns: examples.builder.names,
    residuals: trained.residuals,
    loss,
  }
}

/** The lowest loss first. */
const best = (trained: readonly Trained[]): readonly Trained[] => trained.toSorted((a, b) => a.loss - b.loss)

/**
 * Of the ranked models the first, or an average. Members may look at fewer columns than the average's features hold:
 * each picks its own by name.
 */
const toChosen = (
  { average, metric }: BacktestTask,
  ranked: readonly Trained[],
  specs: Readonly<Record<string, FeatureSpec>>,
  trials: number,
): Chosen => {
  const winner = ranked[0] as Trained
  const widest = ranked
    .filter((one) => holds(one, winner))
    .reduce((a, b) => (b.columns.length > a.columns.length ? b : a), winner)
  // Errors cancel only on the same actuals.
  const alike = ranked.filter((one) => holds(widest, one) && one.residuals.length === winner.residuals.length)
  const { weights, loss } = average
    ? weightsOf(
        alike.map(({ residuals }) => residuals),
        metric,
      )
    : { weights: [1], loss: winner.loss }
  const members = alike
    .flatMap((one, i) => ((weights[i] ?? 0) > 0 ? [{ ...one, weight: weights[i] as number }] : []))
    .toSorted((a, b) => b.weight - a.weight)
  const isSingle = members.length === 1
  const host = isSingle ? winner : widest
  return {
    features: host.features,
    spec: specs[host.features] as FeatureSpec,
    graph: isSingle ? winner.graph : averageGraph(members, host.columns),
    members: members.map(({ learner, features, weight, used, loss: validation }) => ({
      learner: learner.name,
      features,
      weight,
      parameters: used,
      validation,
    })),
    validation: isSingle ? winner.loss : loss,
    trials,
  }
}

const holds = (host: Trained, guest: Trained): boolean => {
  if (host.features === guest.features) return true
  const columns = new Set(host.columns)
  return guest.columns.every((column) => columns.has(column))
}

/** The examples of the latest feature spec, one set a fold: trials mostly differ in anything but the features. */
const keepLatest = (
  prepare: (spec: FeatureSpec, fold: number) => TrainingExamples,
): ((spec: FeatureSpec, fold: number) => TrainingExamples) => {
  let latest: FeatureSpec | undefined
  const kept = new Map<number, TrainingExamples>()
  return (spec, fold) => {
    if (spec !== latest) kept.clear()
    latest = spec
    const examples = kept.get(fold) ?? prepare(spec, fold)
    kept.set(fold, examples)
    return examples
  }
}
