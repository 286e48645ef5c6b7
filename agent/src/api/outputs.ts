/**
 * Which outputs of a model does an inference request get? Those it names, or all there are. Quantiles that are no
 * numbers are left out where nobody asked for them by name: a range that is none never costs the forecast itself.
 */

import { quantilesOf, type Contract } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { Inference } from '../serving/batcher.ts'

export interface OutputTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array
  /** As bytes behind the document, rather than as text in it. */
  readonly binary: boolean
}

/** As a request says it. */
interface AskedOutput {
  readonly name: string
  readonly parameters?: { readonly binary_data?: boolean | undefined } | undefined
}

export interface Wanted {
  readonly names: readonly string[]
  /** The request named them. */
  readonly named: boolean
  /** Those that are wanted as bytes. */
  readonly binary: readonly string[]
}

/** `allBinary`: outputs that do not say how they are wanted are wanted as bytes. */
export const parseWanted = (
  outputs: readonly AskedOutput[] | undefined,
  allBinary: boolean,
  contract: Contract,
): Result<Wanted, 'MALFORMED'> => {
  const known = contract.outputs.map(({ name }) => name)
  if (outputs === undefined) return accept({ names: known, named: false, binary: allBinary ? known : [] })
  const names = outputs.map(({ name }) => name)
  const unknown = names.find((name) => !known.includes(name))
  const binary = outputs.filter(({ parameters }) => parameters?.binary_data ?? allBinary)
  if (unknown === undefined) return accept({ names, named: true, binary: binary.map(({ name }) => name) })
  return refuse('MALFORMED', `there is no output ${unknown}; the outputs are ${known.join(', ')}`)
}

/** In the order wanted. */
export const wantedOutputs = (
  contract: Contract,
  { names, named, binary }: Wanted,
  rows: number,
  { version, values, quantiles }: Inference,
): Result<readonly OutputTensor[], 'NOT_FINITE'> => {
  const { horizon, outputs } = contract
  const tensors: OutputTensor[] = []
  for (const name of names) {
    const isRange = name === outputs[1]?.name
    const own = isRange ? quantiles : values
    if (own !== undefined && own.every(Number.isFinite)) {
      const shape = isRange ? [rows, quantilesOf(contract).length, horizon] : [rows, horizon]
      tensors.push({ name, shape, values: own, binary: binary.includes(name) })
    } else if (!isRange || named) {
      return refuse('NOT_FINITE', `version ${version} gave no number for this input`)
    }
  }
  return accept(tensors)
}
