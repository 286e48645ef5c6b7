/** ONNX sessions as the coordinator runs them: loaded by path, one thread, no spinning. */
import { Failure } from '@imlma/protocol/result'
import { InferenceSession, Tensor } from 'onnxruntime-node'

/** One thread: training and evaluation share the machine with the broker. Spinning would burn its idle time. */
export const sessionOptions: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
}

export interface ForecastSession {
  /** `features` rows × F, row-major → forecasts rows × H. */
  run(features: Float32Array, rows: number): Promise<Float32Array>
  /** Rows × Q × H of the output `quantiles`. */
  quantiles(features: Float32Array, rows: number): Promise<Float32Array>
  close(): Promise<void>
}

/**
 * A model with one input, and with the output `forecast` or another one first: files from elsewhere have names of their
 * own. Throws `Failure` LOAD_FAILED.
 */
export const openForecastSession = async (path: string): Promise<ForecastSession> => {
  const session = await openSession(path)
  const [inputName = ''] = session.inputNames
  const outputName = session.outputNames.find((name) => name === 'forecast') ?? session.outputNames[0] ?? ''
  const ask = async (features: Float32Array, rows: number, output: string): Promise<Float32Array> => {
    const input = new Tensor('float32', features, [rows, features.length / rows])
    if (!session.outputNames.includes(output))
      throw new Failure('CONTRACT_MISMATCH', `${path} has no output "${output}"`)
    const found = (await session.run({ [inputName]: input }, [output]))[output]
    if (found?.type !== 'float32')
      throw new Failure('CONTRACT_MISMATCH', `${path} has no float32 output "${output}"`)
    return found.data as Float32Array
  }
  return {
    run: (features, rows) => ask(features, rows, outputName),
    quantiles: (features, rows) => ask(features, rows, 'quantiles'),
    close: () => session.release(),
  }
}

const openSession = async (path: string): Promise<InferenceSession> => {
  try {
    return await InferenceSession.create(path, sessionOptions)
  } catch (cause) {
    throw new Failure('LOAD_FAILED', `ONNX Runtime cannot load ${path}`, {
      cause,
      hint: 'the file is no valid ONNX model',
    })
  }
}
