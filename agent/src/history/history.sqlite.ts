/**
 * History in memory for reading, and block by block on disk. The table is ordered by block and then series: the
 * blocks that one live reading of every meter touches lie side by side, which spares a gateway's flash.
 */

import { limits } from '@imlma/protocol/limits'
import { invariant } from '@imlma/protocol/result'
import type { Appended } from '../outbox/outbox.ts'
import type { ReadingsDatabase } from '../outbox/database.sqlite.ts'
import type { RecordingHistory } from './history.ts'
import { blockOf, blockSlots, createRing, readRing, restoreBlock, writeRing, type Ring } from './ring.ts'

export interface HistoryOptions {
  /** Slots kept of each series: the longest context, and a block that may just have begun. 4 bytes each. */
  readonly slots?: number
  /** Series kept; readings of further ones are sent, and make no forecasts. */
  readonly seriesMax?: number
}

interface Kept {
  readonly id: number
  readonly meter: string
  readonly register: string
  readonly interval: number
  readonly ring: Ring
}

export const createHistory = (database: ReadingsDatabase, options: HistoryOptions = {}): RecordingHistory => {
  const { sqlite } = database
  const blocks = Math.ceil((options.slots ?? limits.contextLengthMax + blockSlots) / blockSlots)
  const seriesMax = options.seriesMax ?? limits.seriesPerBatchMax
  const statements = prepare(sqlite)
  const listeners = new Set<(appended: Appended) => void>()
  let kept = load(statements, blocks)

  const keptOf = (meter: string, register: string, interval: number): Kept | undefined => {
    const known = kept.get(keyOf(meter, register, interval))
    if (known !== undefined || kept.size >= seriesMax) return known
    const id = Number(statements.addSeries.run(meter, register, interval).lastInsertRowid)
    const added = { id, meter, register, interval, ring: createRing(blocks) }
    kept.set(keyOf(meter, register, interval), added)
    return added
  }

  const store = ({ id, ring }: Kept, first: number, last: number, newestBefore: number): void => {
    for (let block = first; block <= last; block++) {
      const slots = blockOf(ring, block)
      statements.putBlock.run(block, id, new Uint8Array(slots.buffer, slots.byteOffset, slots.byteLength))
    }
    if (newestBefore < 0) return
    const oldest = ring.newestBlock - blocks
    for (let block = newestBefore - blocks + 1; block <= Math.min(oldest, newestBefore); block++) {
      statements.removeBlock.run(block, id)
    }
  }

  return {
    write: (series) => {
      for (const { meter, register, interval, start, values, quality } of series) {
        const each = keptOf(meter, register, interval)
        if (each === undefined) continue
        const newestBefore = each.ring.newestBlock
        const touched = writeRing(each.ring, start / interval, values, quality)
        if (touched !== undefined) store(each, touched.first, touched.last, newestBefore)
      }
    },
    committed: (appended) => {
      for (const listener of listeners) listener(appended)
    },
    rolledBack: () => {
      kept = load(statements, blocks)
    },
    read: (meter, register, intervalMs, start, end, target) => {
      const length = (end - start) / intervalMs
      const window = target ?? new Float32Array(length)
      invariant(window.length === length && start % intervalMs === 0, 'a window lies on the interval')
      const ring = kept.get(keyOf(meter, register, intervalMs))?.ring
      if (ring === undefined) window.fill(Number.NaN)
      else readRing(ring, start / intervalMs, window)
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

const load = (statements: Statements, blocks: number): Map<string, Kept> => {
  const byId = new Map<number, Kept>()
  for (const row of statements.allSeries.iterate() as Iterable<Omit<Kept, 'ring'>>) {
    byId.set(row.id, { ...row, ring: createRing(blocks) })
  }
  const restored = new Uint8Array(blockSlots * 4)
  const rows = statements.allBlocks.iterate() as Iterable<{
    block: number
    series: number
    slots: Uint8Array
  }>
  for (const { block, series, slots } of rows) {
    const ring = byId.get(series)?.ring
    if (ring === undefined || slots.byteLength !== blockSlots * 4) continue
    // A copy: SQLite's bytes need not lie on a multiple of four.
    restored.set(slots)
    restoreBlock(ring, block, new Float32Array(restored.buffer))
  }
  return new Map(
    [...byId.values()].map((each) => [keyOf(each.meter, each.register, each.interval), each] as const),
  )
}

const prepare = (sqlite: ReadingsDatabase['sqlite']) => ({
  allSeries: sqlite.prepare(`SELECT id, meter, register, interval FROM series ORDER BY id`),
  allBlocks: sqlite.prepare(`SELECT block, series, slots FROM blocks ORDER BY block, series`),
  addSeries: sqlite.prepare(`INSERT INTO series (meter, register, interval) VALUES (?, ?, ?)`),
  putBlock: sqlite.prepare(
    `INSERT INTO blocks VALUES (?, ?, ?) ON CONFLICT (block, series) DO UPDATE SET slots = excluded.slots`,
  ),
  removeBlock: sqlite.prepare(`DELETE FROM blocks WHERE block = ? AND series = ?`),
})
type Statements = ReturnType<typeof prepare>
