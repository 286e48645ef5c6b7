/** What can be said of a reading by itself: that it is not there, below zero, above what its connection carries. */

import { bits, type QualityMask } from './checks.ts'

export const flagRange = (
  values: Float32Array,
  { allowNegative, valueMax }: { readonly allowNegative: boolean; readonly valueMax: number },
  mask: QualityMask,
): void => {
  const negative = allowNegative ? 0 : bits.negative
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    let found = 0
    // NaN compares with nothing, infinity minus itself is NaN.
    if (value - value !== 0) found = value === value ? bits.implausible : bits.gap
    if (value < 0) found |= negative
    if (value > valueMax || value < -valueMax) found |= bits.overRated
    if (found !== 0) mask[i] = (mask[i] as number) | found
  }
}
