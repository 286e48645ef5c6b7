/**
 * One ONNX file as a loaded model. Files are opened by path: over many swaps, sessions made from a Buffer keep
 * more than twice the memory. It runs in this process, and whatever it does happens to this process: for tests, benchmarks
 * and fleets of many agents on one machine. A gateway runs its models in workers (`worker/`).
 */

import { InferenceSession, Tensor } from 'onnxruntime-node'
import { quantilesOf, type Contract } from '@imlma/protocol/manifest'
import { Failure, invariant } from '@imlma/protocol/result'
import { checkContract, type TensorDescription } from './contract.ts'
import type { LoadedModel, ModelIdentity } from './serving.ts'
import { sessionOptions } from './session-options.ts'

/** Loads the file and holds it against the contract. Throws `Failure` LOAD_FAILED, CONTRACT_MISMATCH. */
export const loadModel = async (
  path: string,
  identity: ModelIdentity,
  contract: Contract,
): Promise<LoadedModel> => {
  const session = await InferenceSession.create(path, sessionOptions).catch((cause: unknown) => {
    throw new Failure('LOAD_FAILED', `${identity.model} version ${identity.version} does not load`, {
      cause,
      hint: 'the file is no ONNX model that this runtime knows; train and release it again',
    })
  })
  const agreed = checkContract(contract, tensorsOf(session.inputMetadata), tensorsOf(session.outputMetadata))
  if (!agreed.ok) {
    await session.release()
    throw new Failure('CONTRACT_MISMATCH', agreed.refusal.message)
  }
  return toLoadedModel(session, identity, contract)
}

const toLoadedModel = (
  session: InferenceSession,
  { model, version, sha256 }: ModelIdentity,
  contract: Contract,
): LoadedModel => {
  const input = (contract.inputs[0] as Contract['inputs'][number]).name
  const output = (contract.outputs[0] as Contract['outputs'][number]).name
  const columns = (contract.inputs[0] as Contract['inputs'][number]).shape.at(-1) as number
  const quantileOutput = contract.outputs[1]?.name
  const quantileCount = quantilesOf(contract).length
  // Reused by every run of this session: an object literal with a computed name costs a dictionary each time.
  const fetches = [output]
  const tensorOf = (values: Float32Array, shape: readonly number[]) => new Tensor('float32', values, shape)
  let closing: Promise<void> | undefined
  return {
    model,
    version,
    sha256,
    contract,
    run: async (features, rows, into, quantilesInto) => {
      invariant(closing === undefined, 'a closed model is not run')
      invariant(features.length >= rows * columns, 'features hold rows × columns')
      const values = features.length === rows * columns ? features : features.subarray(0, rows * columns)
      try {
        const feeds = { [input]: new Tensor('float32', values, [rows, columns]) }
        if (quantilesInto !== undefined) {
          invariant(quantileOutput !== undefined, 'only a model with quantiles is asked for them')
          const forecast = into ?? new Float32Array(rows * contract.horizon)
          await session.run(feeds, {
            [output]: tensorOf(forecast, [rows, contract.horizon]),
            [quantileOutput]: tensorOf(quantilesInto, [rows, quantileCount, contract.horizon]),
          })
          return forecast
        }
        if (into !== undefined) {
          await session.run(feeds, { [output]: tensorOf(into, [rows, contract.horizon]) })
          return into
        }
        const answer = await session.run(feeds, fetches)
        return (answer[output] as Tensor).data as Float32Array
      } catch (cause) {
        throw new Failure('RUN_FAILED', `${model} version ${version} did not answer`, { cause })
      }
    },
    close: () => (closing ??= session.release()),
  }
}

/** Anything that is no tensor gets the type it has: it never agrees with a contract. */
const tensorsOf = (metadata: readonly InferenceSession.ValueMetadata[]): readonly TensorDescription[] =>
  metadata.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: value.shape }
      : { name: value.name, type: 'not a tensor', shape: [] },
  )
