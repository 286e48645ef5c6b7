/** What the training process is asked, and what it tells its parent. */
import type { StudyState } from '../tuning/study-state.ts'
import type { Evaluation } from './evaluate.onnx.ts'
import type { TensorNames } from './foreign/check-tensors.ts'
import type { EvaluationJob, ExaminationJob, InspectionJob, TrainingJob, TrainingOutcome } from './job.ts'
import type { TrainingProgress } from './learner.ts'

export type TrainerRequest =
  | { readonly kind: 'train'; readonly job: TrainingJob }
  | { readonly kind: 'evaluate'; readonly job: EvaluationJob }
  | { readonly kind: 'inspect'; readonly job: InspectionJob }
  | { readonly kind: 'examine'; readonly job: ExaminationJob }

export type TrainerAnswer =
  | { readonly kind: 'trained'; readonly outcome: TrainingOutcome }
  | { readonly kind: 'evaluated'; readonly evaluations: readonly Evaluation[] }
  | { readonly kind: 'inspected'; readonly tensors: TensorNames }

export type TrainerMessage =
  | { readonly kind: 'progress'; readonly progress: TrainingProgress; readonly residentBytes: number }
  | { readonly kind: 'trial'; readonly study: StudyState }
  | { readonly kind: 'answer'; readonly answer: TrainerAnswer }
  | {
      readonly kind: 'failure'
      readonly code: string
      readonly message: string
      readonly retryable: boolean
      readonly hint: string
    }
