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
  const end = (to: number): void => {
    if (count < readingsMin || (allowZero && last === 0)) return
    for (let i = first; i < to; i++) if (values[i] === last) mask[i] = (mask[i] as number) | bits.frozen
  }
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (value === last) {
      count += 1
      continue
    }
    if (value !== value) continue
    if (count >= readingsMin) end(i)
    first = i
    count = 1
    last = value
  }
  end(values.length)
}
