/** A real outbox in a folder of its own, and what it was given. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limits } from '@imlma/protocol/limits'
import { parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import { openReadingsDatabase } from '../../outbox/database.sqlite.ts'
import { createOutbox } from '../../outbox/outbox.sqlite.ts'
import type { Outbox } from '../../outbox/outbox.ts'

export interface StoredReading {
  readonly meter: string
  readonly register: string
  readonly at: number
  readonly value: number
  readonly quality: number
}

/** Everything that an outbox holds, in the order in which it came. */
export const readingsIn = (outbox: Outbox): readonly StoredReading[] => {
  if (outbox.acknowledged() === undefined) outbox.acknowledge(0)
  return outbox.next({ after: 0, batchesMax: 100_000, bytesMax: 2 ** 40 }).flatMap(({ packet }) => {
    const batch = parseCborMessage(readingBatchSchema, packet, limits.packetBytesMax)
    if (!batch.ok) throw new Error(batch.refusal.message)
    return batch.value.series.flatMap(({ meter, register, start, interval, values, quality }) =>
      [...values].map((value, i) => ({
        meter,
        register,
        at: start + i * interval,
        value,
        quality: quality?.[i] ?? 0,
      })),
    )
  })
}

export const openStore = (path: string): { readonly outbox: Outbox; readonly close: () => void } => {
  const database = openReadingsDatabase(path, Date.now)
  return { outbox: createOutbox({ database, now: Date.now }), close: database.close }
}

export const createTestStore = () => {
  const folder = mkdtempSync(join(tmpdir(), 'imlma-sources-'))
  const { outbox, close } = openStore(join(folder, 'readings.db'))
  return {
    folder,
    outbox,
    readings: () => readingsIn(outbox),
    close: () => {
      close()
      rmSync(folder, { recursive: true })
    },
  }
}
