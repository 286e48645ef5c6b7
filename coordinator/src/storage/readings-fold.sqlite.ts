/**
 * Folding: accepted batches into blocks, series and counters, in the order of their arrival. The place up to which
 * is folded moves in the same transaction, so a batch counts once however often the process is killed.
 * Batches older than the retention are pruned behind that place.
 */

import { limits } from '@imlma/protocol/limits'
import { parseCborMessage, readingBatchSchema, type ReadingBatch } from '@imlma/protocol/wire'
import type { Connection } from './readings-connection.sqlite.ts'
import { createFoldTables } from './readings-fold-tables.sqlite.ts'
import { countValues, type RecentBatches } from './recent-batches.ts'

/**
 * Work of one fold, so that what it holds up other work with stays around 300 ms. A block that is read and written costs
 * 10 µs, a series merged into one that is there already 1 µs: folding many batches of the same meters together is cheap.
 */
const blocksPerFoldMax = 30_000
const seriesPerFoldMax = 100_000
const valuesPerFoldMax = 1_000_000

interface BatchRow {
  readonly id: number
  readonly agentId: number
  readonly site: string
  readonly receivedAt: number
}

export interface FoldingOptions {
  /** Accepted batches stay this long: to look at, and to compare re-sent ones with. */
  readonly retentionMs: number
  /** Batches that are still decoded in memory, by their row. */
  readonly recent: RecentBatches
}

export const createFolding = (
  database: Connection,
  { retentionMs, recent }: FoldingOptions,
): ((limit: number) => number) => {
  const tables = createFoldTables(database)
  const selectPlace = database.prepare<[], number>('SELECT batch_id FROM folded').pluck()
  const updatePlace = database.prepare('UPDATE folded SET batch_id = ?')
  const selectNext = database.prepare<[number], BatchRow>(
    `SELECT batches.id, agent_id AS agentId, site, received_at AS receivedAt
     FROM batches JOIN agents ON agents.id = agent_id WHERE batches.id > ? ORDER BY batches.id LIMIT 1`,
  )
  const selectBytes = database.prepare<[number], Buffer>('SELECT bytes FROM batches WHERE id = ?').pluck()
  const selectOldest = database.prepare<[number, number], Pick<BatchRow, 'id' | 'receivedAt'>>(
    'SELECT id, received_at AS receivedAt FROM batches WHERE id <= ? ORDER BY id LIMIT ?',
  )
  const deleteUpTo = database.prepare('DELETE FROM batches WHERE id <= ?')

  const decode = (id: number): ReadingBatch => {
    const held = recent.take(id)
    if (held !== undefined) return held
    const parsed = parseCborMessage(readingBatchSchema, selectBytes.get(id)!, limits.packetBytesMax)
    if (parsed.ok) return parsed.value
    // It was parsed before it was stored, so the disk has changed it. The other batches are still worth folding.
    tables.countUnreadable()
    return { v: 1, seq: 1, sentAt: 0, historical: true, series: [] }
  }

  /** Twice as many as were folded, so that a shorter retention takes effect over time and not all at once. */
  const prune = (place: number, receivedBefore: number, limit: number): void => {
    let last = 0
    for (const { id, receivedAt } of selectOldest.iterate(place, limit)) {
      if (receivedAt >= receivedBefore) break
      last = id
    }
    if (last > 0) deleteUpTo.run(last)
  }

  const isWithin = (series: number, values: number): boolean =>
    tables.touched() < blocksPerFoldMax && series < seriesPerFoldMax && values < valuesPerFoldMax

  const foldSome = database.transaction((limit: number): number => {
    let place = selectPlace.get()!
    let batches = 0
    let series = 0
    let values = 0
    let receivedAt = 0
    while (batches < limit && isWithin(series, values)) {
      const row = selectNext.get(place)
      if (row === undefined) break
      const batch = decode(row.id)
      for (const each of batch.series) tables.merge(row.site, row.agentId, each)
      series += batch.series.length
      values += countValues(batch)
      place = row.id
      receivedAt = row.receivedAt
      batches += 1
    }
    if (batches === 0) return 0
    tables.write()
    updatePlace.run(place)
    prune(place, receivedAt - retentionMs, 2 * batches)
    return batches
  })

  return (limit) => {
    try {
      return foldSome.immediate(limit)
    } catch (error) {
      tables.forget()
      throw error
    }
  }
}
