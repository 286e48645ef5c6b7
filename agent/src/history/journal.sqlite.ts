/**
 * What was appended since the blocks were last written. One live reading of a thousand meters touches a thousand blocks
 * of 384 bytes; the same readings as the outbox has stored them are a hundredth of that. So they are written here, and
 * the blocks now and then: a gateway's flash wears out with every page.
 */

import { crc32 } from 'node:zlib'
import { limits } from '@imlma/protocol/limits'
import { parseCborMessage, readingBatchSchema, type ReadingSeries } from '@imlma/protocol/wire'
import type { ReadingsDatabase } from '../outbox/database.sqlite.ts'
import type { StoredColumns } from '../outbox/outbox.ts'
import { isIntact, toPacket } from '../outbox/payload.zlib.ts'

export interface Journal {
  readonly add: (stored: readonly StoredColumns[]) => void
  /** True where the blocks should be written, so that a start has little to read again. */
  readonly isFull: () => boolean
  /** In the order of their writing. What the disk has changed is left out. */
  readonly all: () => Iterable<readonly ReadingSeries[]>
  readonly clear: () => void
}

/** Appends between two writings of the blocks; at a start they are read in about 1 ms each. */
const entriesMax = 32

/** Nobody reads it: the columns are parsed as those of any batch. */
const header = { seq: 1, oldest: 1, sentAt: 0, historical: false }

export const createJournal = ({ sqlite }: Pick<ReadingsDatabase, 'sqlite'>): Journal => {
  const insert = sqlite.prepare(`INSERT INTO recent (deflated, crc32, columns) VALUES (?, ?, ?)`)
  const count = sqlite.prepare(`SELECT count(*) FROM recent`).pluck()
  const select = sqlite.prepare(`SELECT deflated, crc32, columns AS bytes FROM recent ORDER BY id`)
  const clear = sqlite.prepare(`DELETE FROM recent`)
  return {
    add: (stored) => {
      for (const { bytes, deflated } of stored) insert.run(Number(deflated), crc32(bytes), bytes)
    },
    isFull: () => Number(count.get()) >= entriesMax,
    *all() {
      for (const row of select.all() as (Omit<StoredColumns, 'deflated'> & { deflated: number })[]) {
        const series = toSeries({ ...row, deflated: row.deflated === 1 })
        if (series !== undefined) yield series
      }
    },
    clear: () => void clear.run(),
  }
}

const toSeries = (stored: StoredColumns): readonly ReadingSeries[] | undefined => {
  if (!isIntact(stored)) return undefined
  const batch = parseCborMessage(readingBatchSchema, toPacket(header, stored), limits.packetBytesMax)
  return batch.ok ? batch.value.series : undefined
}
