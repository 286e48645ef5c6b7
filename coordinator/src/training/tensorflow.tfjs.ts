/** TensorFlow.js, where it can be loaded: for the recurrent learner, and as the peer that the engine is measured against. */
import util from 'node:util'
import type * as TensorFlow from '@tensorflow/tfjs'

export interface LoadedTensorFlow {
  readonly tf: typeof TensorFlow
  readonly backend: 'native' | 'wasm'
}

/**
 * Native where the operator has installed `@tensorflow/tfjs-node`, else WASM; undefined where neither is there. It counts
 * its own tensors: one per process.
 */
export const loadTensorFlow = async (): Promise<LoadedTensorFlow | undefined> => {
  // Node 23 took away what TensorFlow.js 4 still calls.
  const older: { isNullOrUndefined?: (value: unknown) => boolean; isArray?: (value: unknown) => boolean } =
    util
  older.isNullOrUndefined ??= (value) => value === null || value === undefined
  older.isArray ??= Array.isArray
  return (await loadNative()) ?? loadWasm()
}

type Imported = { readonly default: typeof TensorFlow }

const loadNative = async (): Promise<LoadedTensorFlow | undefined> => {
  try {
    // @ts-ignore: not a dependency, because its binary is compiled or downloaded while it is installed.
    const { default: tf } = (await import('@tensorflow/tfjs-node')) as Imported
    await tf.ready()
    return { tf, backend: 'native' }
  } catch {
    return undefined
  }
}

const loadWasm = async (): Promise<LoadedTensorFlow | undefined> => {
  try {
    const { default: tf } = (await import('@tensorflow/tfjs')) as unknown as Imported
    await import('@tensorflow/tfjs-backend-wasm')
    await tf.setBackend('wasm')
    await tf.ready()
    return { tf, backend: 'wasm' }
  } catch {
    return undefined
  }
}
