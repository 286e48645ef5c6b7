/**
 * The blocks of every series on disk. The table is ordered by block and then series: the blocks that one live reading
 * of every meter touches lie side by side, which spares a gateway's flash.
 */

import { isTrainable } from '@imlma/protocol/wire'
import type { ReadingsDatabase } from '../outbox/database.sqlite.ts'
import { blockSlots } from './ring.ts'

export interface SeriesRow {
  readonly id: number
  readonly meter: string
  readonly register: string
  readonly interval: number
}

export interface StoredBlock {
  readonly series: number
  readonly block: number
  /** Valid until the next block is read. */
  readonly slots: Float32Array
}

export interface Blocks {
  readonly series: () => Iterable<SeriesRow>
  /** Returns its id. */
  readonly addSeries: (meter: string, register: string, interval: number) => number
  /** In ascending order; what is no block is left out. */
  readonly all: () => Iterable<StoredBlock>
  readonly read: (series: number, block: number) => Float32Array | undefined
  readonly put: (series: number, block: number, slots: Float32Array) => void
  readonly remove: (series: number, block: number) => void
  /**
   * Writes those of the values from `slot` on that lie in blocks `first` … `last`, by the rule of the ring. Returns the
   * newest slot that was written; −1 where none was.
   */
  readonly merge: (series: number, first: number, last: number, column: Column) => number
}

interface Column {
  readonly slot: number
  readonly values: Float32Array
  readonly quality?: Uint8Array | undefined
}

export const createBlocks = ({ sqlite }: Pick<ReadingsDatabase, 'sqlite'>): Blocks => {
  const allSeries = sqlite.prepare(`SELECT id, meter, register, interval FROM series ORDER BY id`)
  const addSeries = sqlite.prepare(`INSERT INTO series (meter, register, interval) VALUES (?, ?, ?)`)
  const allBlocks = sqlite.prepare(`SELECT block, series, slots FROM blocks ORDER BY block, series`)
  const oneBlock = sqlite.prepare(`SELECT slots FROM blocks WHERE block = ? AND series = ?`).pluck()
  const putBlock = sqlite.prepare(
    `INSERT INTO blocks VALUES (?, ?, ?) ON CONFLICT (block, series) DO UPDATE SET slots = excluded.slots`,
  )
  const removeBlock = sqlite.prepare(`DELETE FROM blocks WHERE block = ? AND series = ?`)
  // A copy of what SQLite gives: its bytes need not lie on a multiple of four.
  const copy = new Float32Array(blockSlots)
  const copyBytes = new Uint8Array(copy.buffer)

  const toSlots = (bytes: Uint8Array | undefined): Float32Array | undefined => {
    if (bytes?.byteLength !== copyBytes.length) return undefined
    copyBytes.set(bytes)
    return copy
  }
  const read: Blocks['read'] = (series, block) =>
    toSlots(oneBlock.get(block, series) as Uint8Array | undefined)
  const put: Blocks['put'] = (series, block, slots) =>
    void putBlock.run(block, series, new Uint8Array(slots.buffer, slots.byteOffset, slots.byteLength))

  return {
    series: () => allSeries.iterate() as Iterable<SeriesRow>,
    addSeries: (...names) => Number(addSeries.run(...names).lastInsertRowid),
    *all() {
      for (const row of allBlocks.iterate() as Iterable<Omit<StoredBlock, 'slots'> & { slots: Uint8Array }>) {
        const slots = toSlots(row.slots)
        if (slots !== undefined) yield { series: row.series, block: row.block, slots }
      }
    },
    read,
    put,
    remove: (series, block) => void removeBlock.run(block, series),
    merge: (series, first, last, { slot, values, quality }) => {
      let newest = -1
      for (let block = first; block <= last; block++) {
        const slots = read(series, block) ?? copy.fill(Number.NaN)
        const from = Math.max(slot, block * blockSlots)
        const to = Math.min(slot + values.length, (block + 1) * blockSlots)
        for (let each = from; each < to; each++) {
          const value = values[each - slot] as number
          if (value !== value || (quality !== undefined && !isTrainable(quality[each - slot] as number)))
            continue
          slots[each - block * blockSlots] = value
          newest = each
        }
        put(series, block, slots)
      }
      return newest
    },
  }
}
