/**
 * Does what a foreign file says about its tensors fit the features that go in and the horizon that comes out? The same
 * that a gateway asks before it serves the file, so that it is refused here and not there.
 */
import { accept, refuse, type Result } from '@imlma/protocol/result'

/** A tensor as the runtime describes it; a string in `shape` is a free dimension. */
export interface FoundTensor {
  readonly name: string
  readonly type: string
  readonly shape: readonly (number | string)[]
}

export interface WantedTensors {
  /** Undefined where the contract leaves the name to the file. */
  readonly input: string | undefined
  readonly output: string | undefined
  readonly features: number
  readonly horizon: number
}

/** Names of the one tensor that goes in and the one that comes out. */
export interface TensorNames {
  readonly input: string
  readonly output: string
}

const nameLengthMax = 64

export const checkTensors = (
  wanted: WantedTensors,
  inputs: readonly FoundTensor[],
  outputs: readonly FoundTensor[],
): Result<TensorNames, 'CONTRACT_MISMATCH'> => {
  const differences = [
    ...differencesOf('input', inputs, wanted.input, wanted.features),
    ...differencesOf('output', outputs, wanted.output, wanted.horizon),
  ]
  const [input, output] = [inputs[0]?.name, outputs[0]?.name]
  if (differences.length === 0 && input !== undefined && output !== undefined)
    return accept({ input, output })
  return refuse(
    'CONTRACT_MISMATCH',
    differences.join('; '),
    'the file needs one input float32[batch × features] and one output float32[batch × horizon], with a batch of any size',
  )
}

const differencesOf = (
  side: 'input' | 'output',
  found: readonly FoundTensor[],
  name: string | undefined,
  width: number,
): readonly string[] => {
  const [tensor] = found
  if (tensor === undefined || found.length > 1) {
    const names = found.map((one) => one.name).slice(0, 5)
    return [`the file has ${found.length} ${side}s (${names.join(', ')}), one is served`]
  }
  const fits =
    tensor.type === 'float32' &&
    tensor.shape.length === 2 &&
    typeof tensor.shape[0] === 'string' &&
    tensor.shape[1] === width
  return [
    ...(name === undefined || tensor.name === name
      ? []
      : [`the ${side} of the file is named ${tensor.name}, the contract says ${name}`]),
    ...(tensor.name.length <= nameLengthMax
      ? []
      : [`the name of the ${side} is longer than ${nameLengthMax}`]),
    ...(fits
      ? []
      : [`${side} ${tensor.name} is ${describe(tensor)}, the contract needs float32[? × ${width}]`]),
  ]
}

const describe = ({ type, shape }: FoundTensor): string =>
  `${type}[${shape.map((size) => (typeof size === 'number' ? size : '?')).join(' × ')}]`
