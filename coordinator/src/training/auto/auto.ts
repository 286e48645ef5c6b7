/** What a study over learners, parameters and features is made with, and how far it may go. */

import type { FeatureSpec } from '@imlma/protocol/features'
import type { PastTrial, StudyState } from '../../tuning/study-state.ts'
import type { FeatureChoices } from '../feature-choices.ts'
import type { Learner, LearnerParts, TrainingExamples, TrainingProgress } from '../learner.ts'
import type { Discarding } from './discard.ts'

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
