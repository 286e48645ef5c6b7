/**
 * Which learner, with which parameters, on which features? A study over all of them together, judged by rolling-origin
 * validation: every trial is trained on what came before each block and asked about the block.
 *
 *   ask → rungs of fold 1, fold 1 … fold K (a trial clearly worse than others ends early) → tell → stored → ask …
 *
 * The state is handed out after every trial; a study that is taken up again goes on after its last finished one.
 */

import type { FeatureSpec } from '@imlma/protocol/features'
import { Failure } from '@imlma/protocol/result'
import { createStudy, resumeStudy, type Study } from '../../tuning/study.ts'
import type { PastTrial, StudyState } from '../../tuning/study-state.ts'
import type { FeatureChoices } from '../feature-choices.ts'
import type { Learner, LearnerParts, TrainingExamples, TrainingProgress } from '../learner.ts'
import { defaultConfigurations, toAutoSpace } from './auto-space.ts'
import type { Discarding } from './discard.ts'
import { finalistsOf } from './finalists.ts'
import type { TrialErrors } from './trial-errors.ts'
import { tryOut } from './try-out.ts'

export interface AutoParts {
  readonly learners: readonly Learner[]
  readonly parts: LearnerParts
  /** Examples of a fold under a feature spec; called fold by fold, so the caller may keep the latest. */
  readonly prepare: (features: FeatureSpec, fold: number) => TrainingExamples
  /** Seconds of a clock that never goes back. */
  readonly seconds: () => number
  /** Called after every trial; the next one waits for it. */
  readonly onTrial: (state: StudyState, done: number) => Promise<void>
  /** How far the learner of a trial is. */
  readonly onStep?: (trial: number, learner: string, progress: TrainingProgress) => void
}

export interface AutoOptions {
  readonly features: FeatureChoices
  readonly folds: number
  readonly trials: number
  readonly seed: number
  /** No further trial begins after this time. */
  readonly secondsMax: number
  readonly metric?: 'mse' | 'mae'
  /** Which trials are not finished. */
  readonly discard?: Discarding
  readonly resume?: StudyState
  /** Trials of previous studies of the same model, the latest study first. */
  readonly past?: readonly (readonly PastTrial[])[]
}

export interface Searched {
  readonly state: StudyState
  /** What finalists got wrong, by trial; of a study that was taken up again, only those of the later trials. */
  readonly errors: ReadonlyMap<number, TrialErrors>
}

/** Throws `Failure` NO_TRIAL when every trial failed. */
export const searchModels = async (auto: AutoParts, options: AutoOptions): Promise<Searched> => {
  const study = openStudy(auto, options)
  const errors = new Map<number, TrialErrors>()
  const startedAt = auto.seconds()
  while (!isOver(study, options) && auto.seconds() - startedAt < options.secondsMax) {
    const trial = study.ask()
    const tried = await tryOut(auto, options, study.state, trial)
    study.tell(trial.number, tried.outcome)
    if (tried.errors !== undefined) errors.set(trial.number, tried.errors)
    const wanted = new Set(finalistsOf(study.state, options.features.axes).map(({ number }) => number))
    for (const number of errors.keys()) if (!wanted.has(number)) errors.delete(number)
    await auto.onTrial(study.state, study.state.trials.length)
  }
  if (study.best() === undefined) {
    throw new Failure('NO_TRIAL', `none of ${study.state.trials.length} trials could be finished`, {
      hint: reasonsOf(study.state),
    })
  }
  return { state: study.state, errors }
}

const openStudy = ({ learners }: AutoParts, { features, seed, resume, past }: AutoOptions): Study => {
  if (resume !== undefined) return resumeStudy(withoutOpenTrial(resume))
  return createStudy({
    space: toAutoSpace(learners, features.axes),
    seed,
    given: defaultConfigurations(learners, features.axes),
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

const reasonsOf = ({ trials }: StudyState): string =>
  [...new Set(trials.flatMap(({ outcome }) => (outcome?.kind === 'failed' ? [outcome.reason] : [])))]
    .slice(0, 3)
    .join('; ')
