/**
 * Who forecasts? Decided on the validation part alone: one learner on each of the task's features, or a study over
 * learners, parameters and features together, whose best few may be averaged.
 */
import type { FeatureSpec } from '@imlma/protocol/features'
import { metricsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import type { Graph } from '../training/graph.ts'
import { learnerNamed, tunableLearners } from '../training/learners.ts'
import { prepareExamples } from '../training/prepare.ts'
import { asTaskSays } from './configured.ts'
import { averageGraph, weightsOf } from './ensemble.ts'
import type { Material } from './material.ts'
import { finalistsOf, search, type Candidate, type ChooseParts } from './search.ts'
import type { BacktestTask } from './task.ts'

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
      { hint: 'correct them under "parameters" in the task, or leave them out' },
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
