/** What the engine minimises: a loss of weights on rows of features and targets. */
import type { GraphBuilder, Value } from '../graph.ts'
import type { Parameters, ParameterSpec } from './parameters.ts'

/** Values of one batch: [rows, features], [rows, targets]. */
export interface Batch {
  readonly features: Value
  readonly targets: Value
}

export interface Problem {
  readonly name: string
  readonly features: number
  readonly targets: number
  readonly parameters: readonly ParameterSpec[]
  /** The mean loss of a batch, a scalar. Dropout only in the phase `train`. */
  loss(graph: GraphBuilder, batch: Batch, parameters: Parameters, phase: 'train' | 'check'): Value
}

/** Rows of features and targets, row-major. */
export interface Rows {
  readonly rows: number
  readonly features: Float32Array
  readonly targets: Float32Array
}
