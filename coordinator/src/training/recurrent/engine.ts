/** Passes through a recurrent network: what the learner needs of a trainer. `engine.tfjs.ts` beside it is TensorFlow.js. */

/** What the trainer needs to know of a network. */
export interface NetworkSizes {
  readonly steps: number
  /** Lags per time step. */
  readonly inputs: number
  readonly units: number
  /** Columns beside the sequence. */
  readonly rest: number
  /** Hidden values of the head; 0: none. */
  readonly head: number
  readonly horizon: number
}

/** Standardised rows, ready for a pass. */
export interface Batch {
  readonly rows: number
  /** steps × rows × inputs. */
  readonly sequence: Float32Array
  /** rows × rest. */
  readonly rest: Float32Array
}

export interface TrainingBatch extends Batch {
  /** rows × H. */
  readonly targets: Float32Array
  /** rows × units: by what the last state is multiplied, 0 where it is dropped; null: nothing is. */
  readonly mask: Float32Array | null
}

export interface RecurrentPasses {
  /** The mean loss of a batch and its slope by every weight. */
  lossAndGradient(weights: Float32Array, batch: TrainingBatch): Promise<LossAndGradient>
  /** rows × H. */
  forecast(weights: Float32Array, batch: Batch): Promise<Float32Array>
}

export interface LossAndGradient {
  readonly loss: number
  readonly gradient: Float32Array
}

export type LossName = 'squared' | 'huber' | 'absolute'

export interface RecurrentEngine {
  /** Throws `Failure` TENSORFLOW_MISSING. */
  open(sizes: NetworkSizes, loss: LossName): Promise<RecurrentPasses>
}
