/**
 * The first look at a model file from elsewhere: what it is made of, whether the runtime loads it, and whether its
 * tensors fit the contract. No reading of any meter is needed for it, so that whoever sends a file learns at once what
 * is wrong with it. Runs inside the training process: a file may crash or hang the runtime.
 */
import { readFile, stat } from 'node:fs/promises'
import { featureCount } from '@imlma/protocol/features'
import { limits } from '@imlma/protocol/limits'
import { Failure, type Result } from '@imlma/protocol/result'
import { InferenceSession } from 'onnxruntime-node'
import type { InspectionJob } from '../job.ts'
import { sessionOptions } from '../session.onnx.ts'
import { checkModelFile } from './check-model-file.ts'
import { checkTensors, type FoundTensor, type TensorNames } from './check-tensors.ts'
import { parseModelFile } from './model-file.protobuf.ts'

/** Throws `Failure` TOO_LARGE, NOT_ONNX, EXTERNAL_DATA, UNSUPPORTED_OPERATOR, LOAD_FAILED, CONTRACT_MISMATCH. */
export const runInspectionJob = async ({ path, features, ...names }: InspectionJob): Promise<TensorNames> => {
  const { size } = await stat(path)
  if (size > limits.artifactBytesMax) {
    throw new Failure('TOO_LARGE', `the file has ${size} bytes, ${limits.artifactBytesMax} are allowed`)
  }
  const file = orThrow(parseModelFile(await readFile(path)))
  orThrow(checkModelFile(file))
  const session = await InferenceSession.create(path, sessionOptions).catch((cause: unknown) => {
    throw new Failure('LOAD_FAILED', `ONNX Runtime cannot load the file: ${firstLineOf(cause)}`, {
      cause,
      hint: 'check it with onnx.checker.check_model, and that its operator set is not newer than the runtime',
    })
  })
  try {
    const wanted = { ...names, features: featureCount(features), horizon: features.horizon }
    return orThrow(checkTensors(wanted, tensorsOf(session.inputMetadata), tensorsOf(session.outputMetadata)))
  } finally {
    await session.release()
  }
}

const orThrow = <Value>(result: Result<Value>): Value => {
  if (result.ok) return result.value
  const { code, message, hint } = result.refusal
  throw new Failure(code, message, hint === undefined ? {} : { hint })
}

/** Anything that is no tensor gets a type that never fits. */
const tensorsOf = (metadata: readonly InferenceSession.ValueMetadata[]): readonly FoundTensor[] =>
  metadata.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: value.shape }
      : { name: value.name, type: 'not a tensor', shape: [] },
  )

/** What the runtime says goes to the sender: without the paths of this machine. */
const firstLineOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause))
    .split('\n')[0]
    ?.replaceAll(/\/\S+/g, '…')
    .slice(0, 300) ?? ''
