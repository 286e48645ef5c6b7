/**
 * The last values of one series in a ring of slots, addressed by time.
 *
 * A slot is one interval, a block is `blockSlots` slots; slot `n` stands at position `n mod capacity`. The capacity is a
 * whole number of blocks, so a block never wraps and its slots can be written to disk as they lie in memory. Entering
 * a new block empties it: no value of an earlier round shows through.
 */

import { isTrainable } from '@imlma/protocol/wire'

export const blockSlots = 96

export interface Ring {
  slots: Float32Array<ArrayBuffer>
  /** Newest block entered; −1 before the first value. */
  newestBlock: number
  /** Newest slot that holds a value; −1 before the first. */
  newestSlot: number
}

export const createRing = (blocks: number): Ring => ({
  slots: new Float32Array(blocks * blockSlots).fill(Number.NaN),
  newestBlock: -1,
  newestSlot: -1,
})

/** Blocks first … last that changed; undefined where every value was too old. */
export interface Touched {
  readonly first: number
  readonly last: number
}

/**
 * Writes values from `slot` on. A missing value, and one of a quality that may not train a model, leaves what is there.
 * Values older than the ring are left out.
 */
export const writeRing = (
  ring: Ring,
  slot: number,
  values: Float32Array,
  quality?: Uint8Array,
): Touched | undefined => {
  const capacity = ring.slots.length
  const last = Math.floor((slot + values.length - 1) / blockSlots)
  enter(ring, last)
  const from = Math.max(0, oldestBlock(ring) * blockSlots - slot)
  if (from >= values.length) return undefined
  for (let i = from; i < values.length; i++) {
    const value = values[i] as number
    if (value !== value || (quality !== undefined && !isTrainable(quality[i] as number))) continue
    ring.slots[(slot + i) % capacity] = value
    if (slot + i > ring.newestSlot) ring.newestSlot = slot + i
  }
  return { first: Math.floor((slot + from) / blockSlots), last }
}

/** Makes room for further blocks, the older ones; they are empty until they are put back. */
export const growRing = (ring: Ring, blocks: number): void => {
  const grown: Ring = { ...createRing(blocks), newestBlock: ring.newestBlock }
  for (let block = oldestBlock(ring); block <= ring.newestBlock; block++) {
    blockOf(grown, block).set(blockOf(ring, block))
  }
  ring.slots = grown.slots
}

/** The oldest block that the ring has room for; 0 at the least. */
export const oldestBlock = ({ slots, newestBlock }: Ring): number =>
  Math.max(0, newestBlock + 1 - slots.length / blockSlots)

/** Puts back a block as it was stored; blocks come in ascending order. */
export const restoreBlock = (ring: Ring, block: number, slots: Float32Array): void => {
  enter(ring, block)
  blockOf(ring, block).set(slots)
  const newest = slots.findLastIndex((value) => value === value)
  if (newest >= 0) ring.newestSlot = block * blockSlots + newest
}

/** Copies slots `from … from + target.length − 1`; what the ring does not hold becomes NaN. */
export const readRing = (ring: Ring, from: number, target: Float32Array): void => {
  const capacity = ring.slots.length
  const end = (ring.newestBlock + 1) * blockSlots
  const first = Math.max(from, end - capacity, 0)
  const last = Math.min(from + target.length, end)
  if (ring.newestBlock < 0 || first >= last) {
    target.fill(Number.NaN)
    return
  }
  target.fill(Number.NaN, 0, first - from)
  target.fill(Number.NaN, last - from)
  const position = first % capacity
  const beforeWrap = Math.min(last - first, capacity - position)
  target.set(ring.slots.subarray(position, position + beforeWrap), first - from)
  target.set(ring.slots.subarray(0, last - first - beforeWrap), first - from + beforeWrap)
}

/** The slots of one block, a view. */
export const blockOf = (ring: Ring, block: number): Float32Array<ArrayBuffer> => {
  const position = (block * blockSlots) % ring.slots.length
  return ring.slots.subarray(position, position + blockSlots)
}

const enter = (ring: Ring, block: number): void => {
  const blocks = ring.slots.length / blockSlots
  for (let each = Math.max(ring.newestBlock + 1, block - blocks + 1); each <= block; each++) {
    blockOf(ring, each).fill(Number.NaN)
  }
  ring.newestBlock = Math.max(ring.newestBlock, block)
}
