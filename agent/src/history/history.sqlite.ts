/**
 * History on disk, block by block, and its newest end in memory: as far back as anybody has read, so that an agent
 * keeps the context of the models it has and not of the longest there could be (1,000 meters: 1 to 3 MB, not 11).
 */

import { limits } from '@imlma/protocol/limits'
import { invariant } from '@imlma/protocol/result'
import type { Appended } from '../outbox/outbox.ts'
import type { ReadingsDatabase } from '../outbox/database.sqlite.ts'
import { createBlocks, type Blocks, type SeriesRow } from './blocks.sqlite.ts'
import type { RecordingHistory } from './history.ts'
import {
  blockOf,
  blockSlots,
  createRing,
  growRing,
  oldestBlock,
  readRing,
  restoreBlock,
  writeRing,
  type Ring,
} from './ring.ts'

export interface HistoryOptions {
  /** Slots kept of each series: the longest context, and a block that may just have begun. 4 bytes each, on disk. */
  readonly slots?: number
  /** Series kept; readings of further ones are sent, and make no forecasts. */
  readonly seriesMax?: number
}

interface Kept extends SeriesRow {
  readonly ring: Ring
}

/** Of a series that nobody has read: the block being written, and the one before. */
const ringBlocksMin = 2

export const createHistory = (database: ReadingsDatabase, options: HistoryOptions = {}): RecordingHistory => {
  const blocksMax = Math.ceil((options.slots ?? limits.contextLengthMax + blockSlots) / blockSlots)
  const ringBlocks = Math.min(ringBlocksMin, blocksMax)
  const seriesMax = options.seriesMax ?? limits.seriesPerBatchMax
  const blocks = createBlocks(database)
  const listeners = new Set<(appended: Appended) => void>()
  let kept = load(blocks, ringBlocks)

  const keptOf = (meter: string, register: string, interval: number): Kept | undefined => {
    const known = kept.get(keyOf(meter, register, interval))
    if (known !== undefined || kept.size >= seriesMax) return known
    const id = blocks.addSeries(meter, register, interval)
    const added = { id, meter, register, interval, ring: createRing(ringBlocks) }
    kept.set(keyOf(meter, register, interval), added)
    return added
  }

  const write = ({ id, ring }: Kept, slot: number, values: Float32Array, quality?: Uint8Array): void => {
    const newestBefore = ring.newestBlock
    const touched = writeRing(ring, slot, values, quality)
    // What the ring has no room for goes to the disk alone.
    const first = Math.max(Math.floor(slot / blockSlots), ring.newestBlock + 1 - blocksMax)
    const last = Math.min(Math.floor((slot + values.length - 1) / blockSlots), oldestBlock(ring) - 1)
    ring.newestSlot = Math.max(ring.newestSlot, blocks.merge(id, first, last, { slot, values, quality }))
    if (touched === undefined) return
    for (let block = touched.first; block <= touched.last; block++)
      blocks.put(id, block, blockOf(ring, block))
    if (newestBefore < 0) return
    const oldest = ring.newestBlock - blocksMax
    for (let block = newestBefore - blocksMax + 1; block <= Math.min(oldest, newestBefore); block++) {
      blocks.remove(id, block)
    }
  }

  /** Rings grow to what is read of them, as far as the disk goes back, and stay so until the next start. */
  const reachBack = ({ id, ring }: Kept, start: number, end: number): void => {
    const oldest = oldestBlock(ring)
    const oldestStored = ring.newestBlock + 1 - blocksMax
    if (start >= oldest * blockSlots || end <= oldestStored * blockSlots) return
    // One block more: the next is entered soon.
    growRing(ring, Math.min(ring.newestBlock - Math.floor(start / blockSlots) + 2, blocksMax))
    for (let block = oldestBlock(ring); block < oldest; block++) {
      const slots = blocks.read(id, block)
      if (slots !== undefined) blockOf(ring, block).set(slots)
    }
  }

  return {
    write: (series) => {
      for (const { meter, register, interval, start, values, quality } of series) {
        const each = keptOf(meter, register, interval)
        if (each !== undefined) write(each, start / interval, values, quality)
      }
    },
    committed: (appended) => {
      for (const listener of listeners) listener(appended)
    },
    rolledBack: () => {
      kept = load(blocks, ringBlocks)
    },
    read: (meter, register, intervalMs, start, end, target) => {
      const length = (end - start) / intervalMs
      const window = target ?? new Float32Array(length)
      invariant(window.length === length && start % intervalMs === 0, 'a window lies on the interval')
      const each = kept.get(keyOf(meter, register, intervalMs))
      if (each === undefined) return window.fill(Number.NaN)
      reachBack(each, start / intervalMs, end / intervalMs)
      readRing(each.ring, start / intervalMs, window)
      return window
    },
    series: (register, intervalMs) =>
      [...kept.values()]
        .filter((each) => each.register === register && each.interval === intervalMs)
        .filter(({ ring }) => ring.newestSlot >= 0)
        .map(({ meter, ring }) => ({ meter, register, intervalMs, latestAt: ring.newestSlot * intervalMs })),
    onAppend: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

const keyOf = (meter: string, register: string, interval: number): string =>
  `${interval}\n${register}\n${meter}`

const load = (blocks: Blocks, ringBlocks: number): Map<string, Kept> => {
  const byId = new Map<number, Kept>()
  for (const row of blocks.series()) byId.set(row.id, { ...row, ring: createRing(ringBlocks) })
  for (const { series, block, slots } of blocks.all()) {
    const ring = byId.get(series)?.ring
    if (ring !== undefined) restoreBlock(ring, block, slots)
  }
  return new Map(
    [...byId.values()].map((each) => [keyOf(each.meter, each.register, each.interval), each] as const),
  )
}
