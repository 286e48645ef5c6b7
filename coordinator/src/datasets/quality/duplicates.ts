/**
 * A block of readings that was stamped twice: it equals the block before it, value by value, at a lag of hours, a day
 * or a week. Loads do come back, so equality alone proves nothing. What counts is how many *changes* of the load came
 * back exactly, and how seldom a change does that in this very series: a block is a copy when fewer than one in a
 * thousand series like this one would show it by chance. A lamp on a timer returns all the time and is left in peace.
 */

import { bits, type QualityMask } from './checks.ts'

const lagsH = [1, 2, 3, 6, 12, 24, 168]

/** Readings below which a block is too short to be told from chance. */
const lagMin = 4

/** Blocks found by chance, expected per series and lag. */
const chanceMax = 1e-3

/** Changes that must have come back, however rare they are. */
const changesMin = 3

/** A load that returns more often than not is a habit, however exact. */
const habitShare = 0.5

interface Block {
  readonly start: number
  readonly end: number
  readonly changes: number
}

/** Marks the later one of two equal blocks. */
export const flagDuplicates = (values: Float32Array, intervalMs: number, mask: QualityMask): void => {
  for (const hours of lagsH) {
    const lag = Math.round((hours * 3_600_000) / intervalMs)
    if (lag < lagMin || lag * 2 > values.length) continue
    const { blocks, looked, returned } = equalBlocks(values, lag)
    const covered = blocks.reduce((sum, { start, end }) => sum + end - start, 0)
    if (covered > habitShare * values.length) continue
    // One more than seen: a rate of zero would make every block a proof.
    const rate = (returned + 1) / (looked + 2)
    for (const { start, end, changes } of blocks) {
      if (changes >= changesMin && values.length * rate ** changes < chanceMax) {
        for (let i = start; i < end; i++) mask[i] = (mask[i] as number) | bits.duplicate
      }
    }
  }
}

interface EqualBlocks {
  /** Readings that equal those `lag` before, at least a quarter of `lag` in a row: a copy may have holes. */
  readonly blocks: readonly Block[]
  /** Changes looked at outside of the blocks, and how many of them had come back. */
  readonly looked: number
  readonly returned: number
}

/** A row of a certain length cannot hide between two looks that are no further apart: most readings are passed over. */
const equalBlocks = (values: Float32Array, lag: number): EqualBlocks => {
  const blocks: Block[] = []
  const stride = Math.max(lagMin, lag >> 2)
  let looked = 0
  let returned = 0
  for (let i = lag; i < values.length; i += stride) {
    const value = values[i]
    const changed = value !== values[i - 1]
    if (value !== values[i - lag]) {
      if (changed) looked += 1
      continue
    }
    let start = i
    while (start > lag && values[start - 1] === values[start - 1 - lag]) start -= 1
    let end = i + 1
    while (end < values.length && values[end] === values[end - lag]) end += 1
    if (end - start >= stride) {
      blocks.push({ start, end, changes: changesIn(values, start, end) })
      // The next look is the first one behind the block.
      i += Math.floor((end - 1 - i) / stride) * stride
    } else if (changed) {
      looked += 1
      returned += 1
    }
  }
  return { blocks, looked, returned }
}

const changesIn = (values: Float32Array, start: number, end: number): number => {
  let changes = 0
  for (let i = start; i < end; i++) if (values[i] !== values[i - 1]) changes += 1
  return changes
}
