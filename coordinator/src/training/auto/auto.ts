/**
 * Which learner, with which parameters, on which features? A study over all of them together, judged by rolling-origin
 * validation: every trial is trained on what came before each block and asked about the block.
 *
 *   ask → fold 1 … fold K (a trial clearly worse than the median ends early) → tell → stored → ask …
 *
 * The state is handed out after every trial; a study that is taken up again goes on after its last finished one.
 */

import type { FeatureSpec } from '@imlma/protocol/features'
import { metricsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { createMedianRule } from '../../tuning/pruner.ts'
import { createStudy, resumeStudy, type Study } from '../../tuning/study.ts'
import type { Outcome, PastTrial, StudyState } from '../../tuning/study-state.ts'
import type { Learner, LearnerParts, TrainingExamples } from '../learner.ts'
import { defaultConfigurations, toAutoSpace, toChoice, type Choice } from './auto-space.ts'

export interface AutoParts {
  readonly learners: readonly Learner[]
  readonly parts: LearnerParts
  /** Examples of a fold under a feature spec; called fold by fold, so the caller may keep the latest. */
  readonly prepare: (features: FeatureSpec, fold: number) => TrainingExamples
  /** Seconds of a clock that never goes back. */
  readonly seconds: () => number
  /** Called after every trial; the next one waits for it. */
  readonly onTrial: (state: StudyState, done: number) => Promise<void>
}

export interface AutoOptions {
  /** The first one is the default. */
  readonly features: Readonly<Record<string, FeatureSpec>>
  readonly folds: number
  readonly trials: number
  readonly seed: number
  /** No further trial begins after this time. */
  readonly secondsMax: number
  readonly metric?: 'mse' | 'mae'
  readonly resume?: StudyState
  /** Trials of previous studies of the same model, the latest study first. */
  readonly past?: readonly (readonly PastTrial[])[]
}

export interface AutoResult {
  readonly choice: Choice
  /** Mean validation loss over the folds. */
  readonly value: number
  readonly state: StudyState
}

/** Throws `Failure` NO_TRIAL when every trial failed. */
export const chooseModel = async (auto: AutoParts, options: AutoOptions): Promise<AutoResult> => {
  const study = openStudy(auto, options)
  const prune = createMedianRule()
  const startedAt = auto.seconds()
  while (!isOver(study, options) && auto.seconds() - startedAt < options.secondsMax) {
    const trial = study.ask()
    const outcome = await tryOut(auto, options, trial.number, toChoice(trial.configuration), prune)
    study.tell(trial.number, outcome)
    await auto.onTrial(study.state, study.state.trials.length)
  }
  const best = study.best()
  if (best === undefined) {
    throw new Failure('NO_TRIAL', `none of ${study.state.trials.length} trials could be finished`, {
      hint: reasonsOf(study.state),
    })
  }
  return { choice: toChoice(best.configuration), value: best.value, state: study.state }
}

const openStudy = ({ learners }: AutoParts, { features, seed, resume, past }: AutoOptions): Study => {
  if (resume !== undefined) return resumeStudy(withoutOpenTrial(resume))
  const names = Object.keys(features)
  return createStudy({
    space: toAutoSpace(learners, names),
    seed,
    given: defaultConfigurations(learners, names),
    ...(past === undefined ? {} : { past }),
  })
}

/** The trial that a kill interrupted is asked for again. */
const withoutOpenTrial = (state: StudyState): StudyState => ({
  ...state,
  trials: state.trials.filter(({ outcome }) => outcome !== undefined),
})

const isOver = (study: Study, { trials }: AutoOptions): boolean =>
  study.state.trials.length >= trials || study.isExhausted()

const tryOut = async (
  auto: AutoParts,
  { features, folds, seed, metric = 'mse' }: AutoOptions,
  trial: number,
  choice: Choice,
  prune: ReturnType<typeof createMedianRule>,
): Promise<Outcome> => {
  const startedAt = auto.seconds()
  const took = () => auto.seconds() - startedAt
  try {
    let sum = 0
    for (let fold = 0; fold < folds; fold += 1) {
      const loss = await lossOf(auto, choice, features[choice.features] as FeatureSpec, fold, seed, metric)
      sum += loss
      const mean = sum / (fold + 1)
      const isLast = fold === folds - 1
      if (prune.report(trial, fold + 1, mean) === 'stop' && !isLast) {
        return { kind: 'discarded', value: mean, seconds: took() }
      }
    }
    return { kind: 'done', value: sum / folds, seconds: took() }
  } catch (error) {
    if (error instanceof Failure) return { kind: 'failed', reason: `${error.code}: ${error.message}` }
    throw error
  }
}

const lossOf = async (
  { learners, parts, prepare }: AutoParts,
  { learner: name, parameters }: Choice,
  spec: FeatureSpec,
  fold: number,
  seed: number,
  metric: 'mse' | 'mae',
): Promise<number> => {
  const learner = learners.find((one) => one.name === name) as Learner
  // What was validated must not be learned from before the loss is known: no refit while searching.
  const settings = learner.parametersSchema.parse({ ...parameters, refit: false })
  const trained = await learner.train(parts, prepare(spec, fold), settings, {
    seed,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  })
  return metricsOf(trained.validation)[metric] ?? Infinity
}

const reasonsOf = ({ trials }: StudyState): string =>
  [...new Set(trials.flatMap(({ outcome }) => (outcome?.kind === 'failed' ? [outcome.reason] : [])))]
    .slice(0, 3)
    .join('; ')
