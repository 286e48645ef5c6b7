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
  close(): Promise<void>
}

/** A model with one input, and with the output `forecast` or another one first: files from elsewhere have names of their own. Throws `Failure` LOAD_FAILED. */
export const openForecastSession = async (path: string): Promise<ForecastSession> => {
  const session = await openSession(path)
  const [inputName = ''] = session.inputNames
  const outputName = session.outputNames.find((name) => name === 'forecast') ?? session.outputNames[0] ?? ''
  return {
    run: async (features, rows) => {
      const input = new Tensor('float32', features, [rows, features.length / rows])
      const forecast = (await session.run({ [inputName]: input }, [outputName]))[outputName]
      if (forecast?.type !== 'float32')
        throw new Failure('CONTRACT_MISMATCH', `${path} has no float32 output "${outputName}"`)
      return forecast.data as Float32Array
    },
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
