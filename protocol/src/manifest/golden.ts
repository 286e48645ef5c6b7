/** Does a loaded model still give the outputs that were signed with it? */

import { accept, refuse, type Result } from '../result.ts'
import type { Manifest } from './manifest.ts'
import { decodeFloat32 } from './float32.ts'
import { quantilesOf } from './quantiles.ts'

export interface GoldenVector {
  readonly input: Float32Array
  readonly output: Float32Array
  /** Q × H; undefined where none were signed with this vector. */
  readonly quantiles?: Float32Array
}

/** The golden vectors of a manifest as numbers, their lengths held against its contract. */
export const toGoldenVectors = ({
  golden,
  contract,
}: Manifest): Result<readonly GoldenVector[], 'MALFORMED'> => {
  const vectors: GoldenVector[] = []
  const features = contract.inputs[0]?.shape.at(-1)
  const quantileValues = quantilesOf(contract).length * contract.horizon
  for (const [index, { input, output, quantiles }] of golden.vectors.entries()) {
    const decoded = {
      input: decodeFloat32(input),
      output: decodeFloat32(output),
      ...(quantiles !== undefined && { quantiles: decodeFloat32(quantiles) }),
    }
    const fits =
      decoded.input?.length === features &&
      decoded.output?.length === contract.horizon &&
      (quantiles === undefined || (quantileValues > 0 && decoded.quantiles?.length === quantileValues))
    if (!fits) {
      return refuse('MALFORMED', `golden vector ${index} does not fit the contract's tensors`)
    }
    vectors.push(decoded as GoldenVector)
  }
  return accept(vectors)
}

/**
 * Accepts when every output is within the tolerance, relative to max(1, |expected|).
 * Non-finite outputs never match: a model that answers NaN is not intact.
 */
export const checkGolden = (
  expected: Float32Array,
  actual: Float32Array,
  tolerance: number,
): Result<void, 'GOLDEN_MISMATCH'> => {
  if (actual.length !== expected.length) {
    return refuse('GOLDEN_MISMATCH', `${actual.length} outputs where ${expected.length} were signed`)
  }
  for (let index = 0; index < expected.length; index += 1) {
    const want = expected[index] as number
    const got = actual[index] as number
    // Written so that NaN fails: a comparison with NaN is false.
    if (!(Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want)))) {
      return refuse('GOLDEN_MISMATCH', `output ${index} is ${got}, signed was ${want}`)
    }
  }
  return accept(undefined)
}
