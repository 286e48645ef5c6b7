/** Does what a loaded file says about its tensors agree with the contract that was signed with it? */

import { featureCount } from '@imlma/protocol/features'
import { outputsAgree, type Contract } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'

/** A tensor as the runtime describes it; a string in `shape` is a free dimension. */
export interface TensorDescription {
  readonly name: string
  readonly type: string
  readonly shape: readonly (number | string)[]
}

/**
 * Accepts when both sides name the same tensors with the same types and shapes (`null` stands for a free dimension)
 * and the contract's feature spec, horizon and quantiles fill exactly those.
 */
export const checkContract = (
  contract: Contract,
  inputs: readonly TensorDescription[],
  outputs: readonly TensorDescription[],
): Result<void, 'CONTRACT_MISMATCH'> => {
  const differences = [
    ...differencesOf('input', contract.inputs, inputs),
    ...differencesOf('output', contract.outputs, outputs),
    ...widthOf('features', contract.inputs, featureCount(contract.features)),
    ...widthOf('horizon', contract.outputs, contract.horizon),
    ...(outputsAgree(contract) ? [] : ['the outputs do not fit horizon and quantiles']),
    ...(contract.features.horizon === contract.horizon ? [] : ['the feature spec has another horizon']),
    ...(contract.features.intervalMs === contract.intervalMs
      ? []
      : ['the feature spec has another interval']),
  ]
  if (differences.length === 0) return accept(undefined)
  return refuse('CONTRACT_MISMATCH', differences.join('; '))
}

type Promised = Contract['inputs'][number]

const differencesOf = (
  side: 'input' | 'output',
  promised: readonly Promised[],
  found: readonly TensorDescription[],
): readonly string[] => {
  const extra = found.filter(({ name }) => !promised.some((tensor) => tensor.name === name))
  return [
    ...promised.flatMap((tensor) => {
      const match = found.find(({ name }) => name === tensor.name)
      if (match === undefined) return [`${side} ${tensor.name} is not in the file`]
      const [want, got] = [describe(tensor.type, tensor.shape), describe(match.type, match.shape)]
      return want === got ? [] : [`${side} ${tensor.name} is ${got}, signed was ${want}`]
    }),
    ...extra.map(({ name }) => `${side} ${name} of the file is not in the contract`),
  ]
}

const widthOf = (what: string, tensors: Contract['inputs'], width: number): readonly string[] => {
  const shape = tensors[0]?.shape ?? []
  const fits = shape.length === 2 && shape[0] === null && shape[1] === width
  return fits
    ? []
    : [`${what} of width ${width} do not fit ${tensors[0]?.name} ${describe('float32', shape)}`]
}

const describe = (type: string, shape: readonly (number | string | null)[]): string =>
  `${type}[${shape.map((size) => (typeof size === 'number' ? size : '?')).join(' × ')}]`
