/**
 * A block of one series as it lies on disk: float32 values of all its slots (little-endian), then one quality byte a
 * slot. A slot is the interval that begins at a multiple of the interval; an empty one is NaN with quality 255.
 *
 * A block is a UTC day, or 1,440 slots where the interval is under a minute: a single late value then rewrites
 * 7 kB at most.
 *
 * Which value stays: the first one, unless a later one has a better (lower) quality code. A meter's estimate gives way
 * to the measurement; a second measurement of the same interval changes nothing that a model was trained on.
 */

import { isTrainable } from '@imlma/protocol/wire'

const dayMs = 86_400_000
const slotsMax = 1_440

/** Quality of a slot that holds nothing. */
export const emptyQuality = 255

const bytesPerSlot = Float32Array.BYTES_PER_ELEMENT + Uint8Array.BYTES_PER_ELEMENT

/** Views of one buffer: `bytes` is what lies on disk. */
export interface Block {
  readonly bytes: Uint8Array
  readonly values: Float32Array
  readonly quality: Uint8Array
}

/** Slots that a merge filled for the first time, and slots that became fit for training by it. */
export interface Filled {
  readonly slots: number
  readonly trainable: number
  /** False when every value was known: nothing to write. */
  readonly changed: boolean
}

const blockMsOf = (intervalMs: number): number => Math.min(dayMs, slotsMax * intervalMs)

/** Number of the block that holds the slot. Slots are counted from the epoch: `time / intervalMs`. */
export const blockOf = (slot: number, intervalMs: number): number =>
  Math.floor((slot * intervalMs) / blockMsOf(intervalMs))

/** First slot of a block; the block ends where the next one begins. */
export const firstSlotOf = (block: number, intervalMs: number): number =>
  Math.ceil((block * blockMsOf(intervalMs)) / intervalMs)

export const emptyBlock = (block: number, intervalMs: number): Block => {
  const slots = firstSlotOf(block + 1, intervalMs) - firstSlotOf(block, intervalMs)
  const empty = viewOf(new Uint8Array(slots * bytesPerSlot))
  empty.values.fill(Number.NaN)
  empty.quality.fill(emptyQuality)
  return empty
}

/** The block that was stored as `bytes`; a copy, so that it may be merged into. */
export const toBlock = (bytes: Uint8Array): Block => viewOf(new Uint8Array(bytes))

const viewOf = (bytes: Uint8Array): Block => {
  const slots = bytes.byteLength / bytesPerSlot
  return {
    bytes,
    values: new Float32Array(bytes.buffer, 0, slots),
    quality: new Uint8Array(bytes.buffer, slots * Float32Array.BYTES_PER_ELEMENT, slots),
  }
}

/** Merges `values[from … to)` into the block from its slot `at` on. Missing and infinite values fill nothing. */
export const mergeInto = (
  block: Block,
  at: number,
  values: Float32Array,
  quality: Uint8Array | undefined,
  from: number,
  to: number,
): Filled => {
  let slots = 0
  let trainable = 0
  let changed = false
  for (let i = from, slot = at; i < to; i++, slot++) {
    const value = values[i] as number
    if (!Number.isFinite(value)) continue
    const code = quality === undefined ? 0 : (quality[i] as number)
    const known = block.quality[slot] as number
    if (code >= known) continue
    if (known === emptyQuality) slots += 1
    if (isTrainable(code) && !isTrainable(known)) trainable += 1
    block.values[slot] = value
    block.quality[slot] = code
    changed = true
  }
  return { slots, trainable, changed }
}
