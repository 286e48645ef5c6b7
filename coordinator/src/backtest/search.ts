/** A study over a task's learners, their parameters and its features, and which of its trials are worth a closer look. */
import type { FeatureSpec } from '@imlma/protocol/features'
import { rollingOrigin, type TrainingSplit } from '../datasets/split.ts'
import { chooseModel, type AutoResult } from '../training/auto/auto.ts'
import { toChoice, type Choice } from '../training/auto/auto-space.ts'
import type { Learner, LearnerParts } from '../training/learner.ts'
import { prepareExamples } from '../training/prepare.ts'
import type { Material } from './material.ts'
import { progressBar } from './progress.ts'
import type { BacktestTask } from './task.ts'
import { keepLatest } from '../training/auto/keep-latest.ts'

export interface ChooseParts {
  readonly parts: LearnerParts
  /** Seconds of a clock that never goes back. */
  readonly seconds: () => number
  /** Progress, a line at a time. */
  readonly say: (line: string) => void
}

export interface Candidate {
  readonly learner: Learner
  readonly parameters: Readonly<Record<string, unknown>>
  readonly features: string
}

/** Models that are trained once more to see whether their average is better. */
const finalistsMax = 4

/** Throws `Failure` NO_TRIAL, TOO_FEW_ROWS. */
export const search = async (
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
      seconds: task.costAware ? seconds : untilOver(seconds, task.secondsMax),
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

/** A clock that stands still until the time is over: no trial has taken any. */
const untilOver = (seconds: () => number, secondsMax: number): (() => number) => {
  const startedAt = seconds()
  return () => (seconds() - startedAt < secondsMax ? 0 : secondsMax)
}

/** The study's best, and beside it the best of every learner and the next best, all on the features of the best. */
export const finalistsOf = (
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
