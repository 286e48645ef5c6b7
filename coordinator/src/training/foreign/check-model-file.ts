/** May a file from elsewhere be handed to the runtime? Decided on what it is made of, before anything of it runs. */
import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { ModelFile } from './model-file.protobuf.ts'

export interface ModelFileBounds {
  /** Operators, in all graphs: the largest model of our own has some hundreds, a deep network some thousands. */
  readonly nodesMax: number
  /** Weights are one tensor a layer; more tensors than nodes would be dead weight. */
  readonly initializersMax: number
  /** Graphs in graphs: a loop in a branch of a loop is the most that a forecast needs. */
  readonly depthMax: number
}

const bounds: ModelFileBounds = { nodesMax: 20_000, initializersMax: 20_000, depthMax: 4 }

export type ModelFileRefusal = 'EXTERNAL_DATA' | 'UNSUPPORTED_OPERATOR' | 'TOO_LARGE'

/** Operators of other domains need code that no gateway has, or hide what is computed. */
const domains = ['ai.onnx.ml']

export const checkModelFile = (
  { operators, nodes, initializers, depth, functions, external }: ModelFile,
  { nodesMax, initializersMax, depthMax }: ModelFileBounds = bounds,
): Result<void, ModelFileRefusal> => {
  const [first] = external
  if (first !== undefined) {
    return refuse(
      'EXTERNAL_DATA',
      `the values of ${external.length} tensors lie outside the file, first ${first || 'one without a name'}`,
      'save the model as one file (onnx.save(model, path, save_as_external_data=False))',
    )
  }
  const foreign = [...operators.keys()].filter((name) => name.includes('.') && !isKnown(name))
  if (foreign.length > 0) {
    return refuse(
      'UNSUPPORTED_OPERATOR',
      `the file needs operators that a gateway does not have: ${foreign.slice(0, 5).join(', ')}`,
      'export with operators of ai.onnx and ai.onnx.ml only, and save the model before the runtime optimises it',
    )
  }
  if (functions > 0) {
    return refuse(
      'UNSUPPORTED_OPERATOR',
      `the file defines ${functions} functions of its own`,
      'inline them (onnx.inliner.inline_local_functions) and send the result',
    )
  }
  const over = [
    ...(nodes > nodesMax ? [`${nodes} operators, ${nodesMax} are allowed`] : []),
    ...(initializers > initializersMax
      ? [`${initializers} weight tensors, ${initializersMax} are allowed`]
      : []),
    ...(depth > depthMax ? [`graphs ${depth} deep in each other, ${depthMax} are allowed`] : []),
  ]
  if (over.length === 0) return accept(undefined)
  return refuse('TOO_LARGE', `the file has ${over.join('; ')}`, 'simplify the model before it is exported')
}

const isKnown = (name: string): boolean => domains.includes(name.slice(0, name.lastIndexOf('.')))
