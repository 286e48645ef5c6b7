/** What the training process tells its parent. */
import type { TrainingOutcome } from './job.ts'
import type { TrainingProgress } from './learner.ts'

export type TrainerMessage =
  | { readonly kind: 'progress'; readonly progress: TrainingProgress; readonly residentBytes: number }
  | { readonly kind: 'outcome'; readonly outcome: TrainingOutcome }
  | {
      readonly kind: 'failure'
      readonly code: string
      readonly message: string
      readonly retryable: boolean
      readonly hint: string
    }
