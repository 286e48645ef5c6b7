/**
 * History on disk, block by block, and its newest end in memory: as far back as anybody has read, so that an agent
 * keeps the context of the models it has and not of the longest there could be (1,000 meters: 1 to 3 MB, not 11).
 *
 * Blocks in memory may be newer than on disk; then what changed them is in the journal (`journal.sqlite.ts`), and is
 * written again into them at a start.
 */

import { limits } from '@imlma/protocol/limits'
import { invariant } from '@imlma/protocol/result'
import type { ReadingSeries } from '@imlma/protocol/wire'
import type { Appended, StoredColumns } from '../outbox/outbox.ts'
import type { ReadingsDatabase } from '../outbox/database.sqlite.ts'
import { createBlocks, type Blocks, type SeriesRow } from './blocks.sqlite.ts'
import type { RecordingHistory } from './history.ts'
import { createJournal, type Journal } from './journal.sqlite.ts'
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
  type Touched,
} from './ring.ts'

export interface HistoryOptions {
  /** Slots kept of each series: the longest context, and a block that may just have begun. 4 bytes each, on disk. */
  readonly slots?: number
  /** Series kept; readings of further ones are sent, and make no forecasts. */
  readonly seriesMax?: number
}

interface Kept extends SeriesRow {
  readonly ring: Ring
  /** Blocks that are newer here than on disk. */
  ahead: Touched | undefined
}

/** Of a series that nobody has read: the block being written, and the one before. */
const ringBlocksMin = 2

/** A block in its table. */
const blockBytes = blockSlots * Float32Array.BYTES_PER_ELEMENT

export const createHistory = (database: ReadingsDatabase, options: HistoryOptions = {}): RecordingHistory => {
  const blocksMax = Math.ceil((options.slots ?? limits.contextLengthMax + blockSlots) / blockSlots)
  const ringBlocks = Math.min(ringBlocksMin, blocksMax)
  const seriesMax = options.seriesMax ?? limits.seriesPerBatchMax
  const blocks = createBlocks(database)
  const listeners = new Set<(appended: Appended) => void>()
  const journal = createJournal(database)
  let kept = load(blocks, journal, ringBlocks)

  const keptOf = (meter: string, register: string, interval: number): Kept | undefined => {
    const known = kept.get(keyOf(meter, register, interval))
    if (known !== undefined || kept.size >= seriesMax) return known
    const id = blocks.addSeries(meter, register, interval)
    const added = { id, meter, register, interval, ring: createRing(ringBlocks), ahead: undefined }
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

  /** Writes every block that is newer in memory. */
  const fold = (): void => {
    for (const each of kept.values()) {
      if (each.ahead === undefined) continue
      for (let block = each.ahead.first; block <= each.ahead.last; block++)
        blocks.put(each.id, block, blockOf(each.ring, block))
      each.ahead = undefined
    }
    journal.clear()
  }

  /**
   * Blocks of known series that these readings touch; undefined where they begin a block, reach behind the rings or
   * bring a series: then blocks come and go on disk, and what is on disk must be as new as memory.
   */
  const touchedWithin = (series: readonly ReadingSeries[]): number | undefined => {
    let touched = 0
    for (const { meter, register, interval, start, values } of series) {
      const each = kept.get(keyOf(meter, register, interval))
      if (each === undefined && kept.size >= seriesMax) continue
      const first = Math.floor(start / interval / blockSlots)
      const last = Math.floor((start / interval + values.length - 1) / blockSlots)
      if (each === undefined || last > each.ring.newestBlock || first < oldestBlock(each.ring))
        return undefined
      touched += last - first + 1
    }
    return touched
  }

  /** True where the journal has these readings, and the blocks wait. */
  const postpone = (series: readonly ReadingSeries[], stored: readonly StoredColumns[]): boolean => {
    const touched = touchedWithin(series)
    const bytes = stored.reduce((sum, each) => sum + each.bytes.length, 0)
    if (touched === undefined || touched * blockBytes < 2 * bytes) return false
    journal.add(stored)
    rewrite(kept, series)
    if (journal.isFull()) fold()
    return true
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
    write: (series, stored) => {
      if (postpone(series, stored)) return
      fold()
      for (const { meter, register, interval, start, values, quality } of series) {
        const each = keptOf(meter, register, interval)
        if (each !== undefined) write(each, start / interval, values, quality)
      }
    },
    committed: (appended) => {
      for (const listener of listeners) listener(appended)
    },
    rolledBack: () => {
      kept = load(blocks, journal, ringBlocks)
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

const load = (blocks: Blocks, journal: Journal, ringBlocks: number): Map<string, Kept> => {
  const byId = new Map<number, Kept>()
  for (const row of blocks.series())
    byId.set(row.id, { ...row, ring: createRing(ringBlocks), ahead: undefined })
  for (const { series, block, slots } of blocks.all()) {
    const ring = byId.get(series)?.ring
    if (ring !== undefined) restoreBlock(ring, block, slots)
  }
  const kept = new Map(
    [...byId.values()].map((each) => [keyOf(each.meter, each.register, each.interval), each] as const),
  )
  for (const series of journal.all()) rewrite(kept, series)
  return kept
}

/** Writes into the rings alone; they are ahead of the disk then. */
const rewrite = (kept: ReadonlyMap<string, Kept>, series: readonly ReadingSeries[]): void => {
  for (const { meter, register, interval, start, values, quality } of series) {
    const each = kept.get(keyOf(meter, register, interval))
    const touched = each && writeRing(each.ring, start / interval, values, quality)
    if (each === undefined || touched === undefined) continue
    const { first, last } = each.ahead ?? touched
    each.ahead = { first: Math.min(first, touched.first), last: Math.max(last, touched.last) }
  }
}
