/** The training room: from a frozen snapshot to a model file, and how good a file is. */
export { evaluateModel, parityOf, type Evaluation, type EvaluationTask } from './evaluate.onnx.ts'
export { parityMax, type TrainingJob, type TrainingOutcome, type TrainingTask } from './job.ts'
export type { TrainingProgress } from './learner.ts'
export { defaultFeatureSpec, type RecipeRequest } from './recipe.ts'
export { createTrainer, type Trainer, type TrainerOptions, type TrainerRun } from './trainer.fork.ts'
export { zoneTransitions } from './zone.intl.ts'
