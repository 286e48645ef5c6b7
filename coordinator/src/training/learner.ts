/**
 * What every learner is: examples in, an ONNX graph out, with the trainer's own forecast beside it to prove that
 * the export is right. Whatever it is inside, it fits this shape.
 */
import type { FeatureBuilder } from '@imlma/protocol/features'
import type { ErrorSums } from '@imlma/protocol/metrics'
import type { z } from 'zod'
import type { Examples } from './examples.ts'
import type { MatrixProducts } from './gram.ts'
import type { Graph } from './graph.ts'
import type { GraphSessions } from './engine/session.ts'
import type { RecurrentEngine } from './recurrent/engine.ts'
import type { Recall } from './recall.ts'
import type { SearchSpace } from '../tuning/space.ts'

export interface LearnerParts {
  readonly products: MatrixProducts
  readonly sessions: GraphSessions
  readonly recurrent: RecurrentEngine
  readonly recall: Recall
}

/** As much of a feature builder as most learners need. Plain regression has it too: horizon 1, no columns of a step. */
export type FeatureLayout = Pick<
  FeatureBuilder,
  'count' | 'sharedCount' | 'stepCount' | 'horizon' | 'names' | 'roles'
>

/** What a learner may look at. `validation` chooses; it is later than `train`. */
export interface TrainingExamples<Layout = FeatureBuilder> {
  readonly builder: Layout
  readonly train: Examples
  readonly validation: Examples
}

export interface TrainingProgress {
  readonly phase: 'load' | 'tune' | 'examples' | 'train' | 'validate' | 'refit' | 'export'
  /** 0 … 1 over the whole training. */
  readonly fraction: number
  /** Passes over the rows, or trees, so far; where the learner has them. */
  readonly epoch?: number
  /** The latest loss, where the phase has one. */
  readonly loss?: number
}

export interface TrainingRun {
  readonly seed: number
  readonly onProgress: (progress: TrainingProgress) => void
  readonly signal: AbortSignal
}

/** Rows of forecasts, at once or when a runtime has made them. */
export type Forecasts = ArrayLike<number> | Promise<ArrayLike<number>>

export interface TrainedModel<Parameters = unknown> {
  readonly graph: Graph
  /** The trainer's own forecast: features rows × F → rows × H, raw units. */
  forecast(features: Float32Array, rows: number): Forecasts
  /** The graph's second output, where quantiles were asked for: rows × Q × H, ascending in Q. */
  readonly quantiles?: {
    readonly probabilities: readonly number[]
    forecast(features: Float32Array, rows: number): Forecasts
  }
  /** With everything that the learner chose itself filled in. */
  readonly parameters: Parameters
  /** Errors on the validation part of the model as it was *before* it saw that part; raw units. */
  readonly validation: ErrorSums
  /** forecast − actual on the same rows. */
  readonly residuals: Float32Array
  /** Where they are of some targets only: row × H + step of each. */
  readonly residualPlaces?: Uint32Array
}

export interface Learner<Parameters = unknown> {
  readonly name: string
  /** Its defaults are the learner's. */
  readonly parametersSchema: z.ZodType<Parameters>
  /** What is worth tuning, under the names of the parameters. */
  readonly space: SearchSpace
  train(
    parts: LearnerParts,
    examples: TrainingExamples,
    parameters: Parameters,
    run: TrainingRun,
  ): Promise<TrainedModel<Parameters>>
}
