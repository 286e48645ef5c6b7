/** A meter that says the same for a day: a stuck register, a dead current transformer, a gateway that repeats itself. */

import { bits, type QualityMask } from './checks.ts'

export interface FrozenOptions {
  /** Readings of the same value, in a row; missing ones in between neither count nor break the row. */
  readonly readingsMin: number
  /** Whether zero may stay: an empty house, a plant on holiday. */
  readonly allowZero: boolean
}

/** Marks the whole row, its first reading too: when it froze, it had already said its last. */
export const flagFrozen = (
  values: Float32Array,
  { readingsMin, allowZero }: FrozenOptions,
  mask: QualityMask,
): void => {
  let first = 0
  let count = 0
  let last = Number.NaN
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (value === last) count += 1
    else if (value === value) {
      if (count >= readingsMin && !(allowZero && last === 0)) markRow(values, first, i, mask)
      first = i
      count = 1
      last = value
    }
  }
  if (count >= readingsMin && !(allowZero && last === 0)) markRow(values, first, values.length, mask)
}

/** Missing readings inside the row stay what they are: gaps. */
const markRow = (values: Float32Array, first: number, end: number, mask: QualityMask): void => {
  for (let i = first; i < end; i++) {
    if (values[i] === values[first]) mask[i] = (mask[i] as number) | bits.frozen
  }
}
