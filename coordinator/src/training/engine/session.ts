/** Graphs that run: what learners need of a runtime. `session.onnx.ts` beside it is ONNX Runtime. */
import type { Graph } from '../graph.ts'

/** By type: float32, float64, int32, int64. */
export type TensorValues = Float32Array | Float64Array | Int32Array | BigInt64Array

/** Row-major. */
export interface Tensor {
  readonly shape: readonly number[]
  readonly values: TensorValues
}

export interface GraphSession {
  /** Inputs by name → outputs by name. What it returns belongs to the caller. */
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, TensorValues>>>
  close(): Promise<void>
}

export interface GraphSessions {
  open(graph: Graph): Promise<GraphSession>
}
