/** TensorFlow.js, where it can be loaded: for the recurrent learner, and as the peer that the engine is measured against. */
import util from 'node:util'
import type * as TensorFlow from '@tensorflow/tfjs'

export interface LoadedTensorFlow {
  readonly tf: typeof TensorFlow
  readonly backend: 'wasm'
}

/** Undefined where the optional packages are not installed. It counts its own tensors: one per process. */
export const loadTensorFlow = async (): Promise<LoadedTensorFlow | undefined> => {
  // Node 23 took away what TensorFlow.js 4 still calls.
  const older: { isNullOrUndefined?: (value: unknown) => boolean; isArray?: (value: unknown) => boolean } =
    util
  older.isNullOrUndefined ??= (value) => value === null || value === undefined
  older.isArray ??= Array.isArray
  try {
    const { default: tf } = (await import('@tensorflow/tfjs')) as unknown as { default: typeof TensorFlow }
    await import('@tensorflow/tfjs-backend-wasm')
    await tf.setBackend('wasm')
    await tf.ready()
    return { tf, backend: 'wasm' }
  } catch {
    return undefined
  }
}
