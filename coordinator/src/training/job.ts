/** What a training is asked for and what it gives back: plain values, so that they cross a process border. */
import type { FeatureSpec } from '@imlma/protocol/features'
import type { Histogram } from '@imlma/protocol/drift'
import type { ErrorMetrics } from '@imlma/protocol/metrics'
import type { Zone } from '@imlma/protocol/series'
import type { TimeRange } from '../datasets/split.ts'
import type { PastTrial, StudyState } from '../tuning/study-state.ts'
import type { Discarding } from './auto/discard.ts'
import type { DroppedRows } from './examples.ts'

export interface TrainingTask {
  /** Series of the snapshot with this register and interval train the model. */
  readonly register: string
  readonly intervalMs: number
  /** Steps. */
  readonly horizon: number
  readonly zone: Zone
  readonly holidays: readonly string[]
  readonly covariates?: readonly { readonly name: string; readonly knots: readonly number[] }[]
  /** Instead of the default recipe. */
  readonly features?: FeatureSpec
  /** Of the training window; its newest part. */
  readonly validationShare?: number
  readonly originStride?: number
  readonly rowsMax?: number
  /** Probabilities of a second output; left out: none, unless the parameters of the learner ask for them. */
  readonly quantiles?: readonly number[]
  /** p99 of one forecast on a gateway; an average that would not hold it is not taken. */
  readonly latencyMsBudget?: number
}

/** How learner, parameters and features are searched where the learner is `auto`. */
export interface StudyRequest {
  readonly trials: number
  /** Blocks of the rolling-origin validation. */
  readonly folds: number
  /** No further trial begins after this time. */
  readonly secondsMax: number
  /** Names of the learners to choose from; left out: those that need no more than ONNX Runtime. */
  readonly learners?: readonly string[] | undefined
  /** Which trials are not finished. */
  readonly discard?: Discarding
  /** A study that was interrupted; it goes on after its last finished trial. */
  readonly resume?: StudyState
  /** Trials of previous studies of the same model, the latest study first. */
  readonly past?: readonly (readonly PastTrial[])[]
}

export interface TrainingJob {
  readonly dataset: { readonly path: string; readonly sha256: string }
  readonly task: TrainingTask
  /** A learner's name, or `auto`. */
  readonly learner: string
  /** Needed where the learner is `auto`. */
  readonly study?: StudyRequest
  /** Of `auto` by learner: what is set is not searched. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly seed: number
  /** The artifact is written here, under its own SHA-256. */
  readonly outputFolder: string
}

export interface TrainingOutcome {
  readonly artifactPath: string
  readonly sha256: string
  readonly bytes: number
  /** The one that was trained, also where it was chosen. */
  readonly learner: string
  /** The whole study, where there was one. */
  readonly study?: StudyState
  /** With everything that was chosen filled in. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly metrics: {
    /** Of the final model on what it was trained on. */
    readonly train: ErrorMetrics
    /** Of the model before it saw the validation part. */
    readonly validation: ErrorMetrics
  }
  readonly features: FeatureSpec
  /** Outputs are those of the exported file. */
  readonly golden: readonly {
    readonly input: Float32Array
    readonly output: Float32Array
    /** Q × H; in as many vectors as a manifest has room for. */
    readonly quantiles?: Float32Array
  }[]
  /** Probabilities of the file's second output; undefined where it has none. */
  readonly quantiles?: readonly number[]
  /** Largest relative difference between the exported file and the trainer, over both outputs. */
  readonly parity: number
  readonly reference: {
    readonly inputs: Readonly<Record<string, { readonly histogram: Histogram; readonly rows: number }>>
    readonly residuals: { readonly histogram: Histogram; readonly rows: number }
  }
  /** Examples: features in, horizon out. */
  readonly rows: { readonly train: number; readonly validation: number }
  readonly dropped: DroppedRows
  readonly originStride: number
  readonly trainEnd: number
  readonly seconds: number
}

/** How good are these model files on a window of this snapshot? */
export interface EvaluationJob {
  readonly dataset: { readonly path: string; readonly sha256: string }
  readonly register: string
  readonly contenders: readonly { readonly path: string; readonly spec: FeatureSpec }[]
  readonly range: TimeRange
  readonly originStride: number
  readonly rowsMax?: number
}

/** Does this file from elsewhere fit the features and the horizon of its contract, and may the runtime load it? */
export interface InspectionJob {
  readonly path: string
  readonly features: FeatureSpec
  /** Names of its tensors; undefined where the file may choose them. */
  readonly input: string | undefined
  readonly output: string | undefined
}

/** What is a model from elsewhere worth on this snapshot? Asked instead of a training. */
export interface ExaminationJob extends InspectionJob {
  readonly sha256: string
  readonly dataset: { readonly path: string; readonly sha256: string }
  readonly task: TrainingTask
  readonly latencyMsBudget: number
  /** No reading at or after this time was used to make it. */
  readonly trainedUntil: number
  /** Who made it, with what: kept as the parameters of the version. */
  readonly provenance: Readonly<Record<string, unknown>>
}

/** The learner of a version that was not trained here. */
export const externalLearner = 'external'

/** Allowed relative difference between the exported file and the trainer's own output. */
export const parityMax = 1e-5
