/**
 * Graphs run by ONNX Runtime. A graph that trains lives as long as its training and is small, so that it is loaded
 * from memory and not by path. A run blocks the event loop while it computes; between runs the loop gets its turn.
 */
import { setImmediate } from 'node:timers/promises'
import { invariant } from '@imlma/protocol/result'
import { InferenceSession, Tensor as OnnxTensor } from 'onnxruntime-node'
import { encodeModel } from '../model.protobuf.ts'
import { sessionOptions } from '../session.onnx.ts'
import type { GraphSessions, Tensor, TensorValues } from './session.ts'

/** Errors only: a graph that leaves out what it does not need is no reason for a warning. */
const options: InferenceSession.SessionOptions = { ...sessionOptions, logSeverityLevel: 3 }

export const createGraphSessions = (): GraphSessions => ({
  open: async (graph) => {
    const session = await InferenceSession.create(encodeModel(graph), options)
    return {
      run: async (inputs) => {
        const feeds = Object.fromEntries(
          Object.entries(inputs).map(([name, tensor]) => [name, toOnnx(tensor)]),
        )
        const results = await session.run(feeds)
        await setImmediate()
        return Object.fromEntries(
          Object.entries(results).map(([name, { data }]) => [name, data as TensorValues]),
        )
      },
      close: () => session.release(),
    }
  },
})

const toOnnx = ({ values, shape }: Tensor): OnnxTensor => {
  if (values instanceof Float32Array) return new OnnxTensor('float32', values, shape)
  if (values instanceof Float64Array) return new OnnxTensor('float64', values, shape)
  if (values instanceof Int32Array) return new OnnxTensor('int32', values, shape)
  invariant(values instanceof BigInt64Array, 'whole numbers of 64 bits')
  return new OnnxTensor('int64', values, shape)
}
