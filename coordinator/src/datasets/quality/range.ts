/** What can be said of a reading by itself: that it is not there, below zero, above what its connection carries. */

import { bits, type QualityMask } from './checks.ts'

export const flagRange = (
  values: Float32Array,
  { allowNegative, valueMax }: { readonly allowNegative: boolean; readonly valueMax: number },
  mask: QualityMask,
): void => {
  // Nearly all values lie between these two; only the others are looked at closely.
  const most = Math.min(valueMax, largestFloat32)
  const least = allowNegative ? -most : 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (value >= least && value <= most) continue
    let found = 0
    if (value !== value) found = bits.gap
    else if (!Number.isFinite(value)) found = bits.implausible
    if (value < 0 && !allowNegative) found |= bits.negative
    if (Math.abs(value) > valueMax) found |= bits.overRated
    mask[i] = (mask[i] as number) | found
  }
}

const largestFloat32 = (2 - 2 ** -23) * 2 ** 127
