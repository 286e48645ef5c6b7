/**
 * The outbox on SQLite: one transaction a call, WAL, synchronous FULL, so that what `append` returned from survives
 * a power cut. Totals live in memory and are counted once, at the start.
 */

import { invariant } from '@imlma/protocol/result'
import type { ReadingSeries } from '@imlma/protocol/wire'
import { countReadings, latestOf, splitIntoBatches } from './batches.ts'
import type { ReadingsDatabase } from './database.sqlite.ts'
import type { Appended, AppendParticipant, Backlog, Outbox, OutboundBatch, Window } from './outbox.ts'
import { isIntact, storeColumns, toPacket, type SignPacket } from './payload.zlib.ts'
import { decideAck } from './sequence.ts'

export interface OutboxParts {
  readonly database: ReadingsDatabase
  readonly now: () => number
  /** Write in the transaction of every append, in this order. */
  readonly participants?: readonly AppendParticipant[]
  /** Each time that a batch leaves, as it has its sequence only then; left out, batches go unsigned. */
  readonly sign?: SignPacket
}

export interface OutboxOptions {
  /** Bytes of stored columns before the oldest batches go; 30 days of 1,000 meters at 15 minutes are 20 MB. */
  readonly bytesMax?: number
}

interface Totals {
  batches: number
  bytes: number
  readings: number
}

interface StoredRow {
  readonly id: number
  readonly historical: number
  readonly deflated: number
  readonly readings: number
  readonly crc32: number
  readonly columns: Uint8Array
}

export const createOutbox = (parts: OutboxParts, options: OutboxOptions = {}): Outbox => {
  const { database, now, participants = [], sign } = parts
  const { sqlite } = database
  const bytesMax = options.bytesMax ?? 256 * 1_048_576
  const statements = prepare(sqlite)
  const listeners = new Set<(appended: Appended) => void>()

  let { offset, droppedReadings } = statements.numbering.get() as {
    offset: number | null
    droppedReadings: number
  }
  let totals = statements.totals.get() as Totals
  let lastId = Number(statements.lastId.pluck().get() ?? 0)
  // What was there at the start may have been sent before it.
  let handedOutId = lastId

  const oldest = () => statements.oldest.get() as { id: number; appendedAt: number } | undefined
  const oldestId = () => oldest()?.id ?? lastId + 1

  const guarded = <Value>(work: () => Value): Value => {
    try {
      return work()
    } catch (cause) {
      throw database.toFailure(cause)
    }
  }

  /** Removes rows up to `upToId`; returns what went. */
  const remove = (upToId: number): Totals => {
    const gone = statements.totalsUpTo.get(upToId) as Totals
    statements.remove.run(upToId)
    return gone
  }

  const dropAboveQuota = (next: Totals): number => {
    let dropped = 0
    for (const row of next.bytes > bytesMax ? (statements.sizes.iterate() as Iterable<SizedRow>) : []) {
      // The newest batch stays whatever its size: an outbox that keeps nothing would lose every reading.
      if (next.bytes <= bytesMax || next.batches <= 1) break
      next.batches -= 1
      next.bytes -= row.bytes
      next.readings -= row.readings
      dropped = row.id
    }
    return dropped
  }

  const insert = sqlite.transaction((series: readonly ReadingSeries[], historical: boolean): Totals => {
    const next = { ...totals }
    for (const batch of splitIntoBatches(series)) {
      const readings = countReadings(batch)
      const { bytes, deflated, crc32 } = storeColumns(batch, readings)
      statements.insert.run(now(), Number(historical), Number(deflated), readings, bytes.length, crc32, bytes)
      next.batches += 1
      next.bytes += bytes.length
      next.readings += readings
    }
    const droppedId = dropAboveQuota(next)
    if (droppedId > 0) {
      const gone = remove(droppedId)
      statements.countDropped.run(gone.batches, gone.readings)
    }
    for (const { write } of participants) write(series)
    return next
  })

  const append = sqlite.transaction(
    (series: readonly ReadingSeries[], historical: boolean, source?: string, position?: string): Totals => {
      if (source !== undefined) statements.moveCursor.run(source, position)
      return series.length === 0 ? totals : insert(series, historical)
    },
  )

  const acknowledge = (seq: number) => {
    const decision = decideAck({ offset, oldestId: oldestId(), handedOutId }, seq)
    if (decision.kind === 'ignore') return { removed: 0, renumbered: false }
    if (decision.kind === 'renumber') {
      statements.moveOffset.run(decision.offset)
      offset = decision.offset
      handedOutId = oldestId() - 1
      return { removed: 0, renumbered: true }
    }
    const gone = sqlite.transaction(remove)(decision.upToId)
    totals = subtract(totals, gone)
    return { removed: gone.batches, renumbered: false }
  }

  /** A batch that the disk has changed can never be acknowledged: it goes, and is counted. */
  const removeBroken = (id: number): void => {
    const gone = sqlite.transaction((): Totals => {
      const row = statements.totalsOfOne.get(id) as Totals
      statements.removeOne.run(id)
      statements.countDropped.run(row.batches, row.readings)
      return row
    })()
    totals = subtract(totals, gone)
    droppedReadings += gone.readings
  }

  const next = ({ after, batchesMax, bytesMax: windowBytesMax }: Window): readonly OutboundBatch[] => {
    if (offset === null || totals.batches === 0) return []
    const batches: OutboundBatch[] = []
    const broken: number[] = []
    let bytes = 0
    const oldestSeq = oldestId() + offset
    for (const row of statements.next.iterate(after - offset, batchesMax) as Iterable<StoredRow>) {
      const columns = { bytes: row.columns, deflated: row.deflated === 1, crc32: row.crc32 }
      if (!isIntact(columns)) {
        broken.push(row.id)
        continue
      }
      const seq = row.id + offset
      const packet = toPacket(
        { seq, oldest: oldestSeq, sentAt: now(), historical: row.historical === 1 },
        columns,
        sign,
      )
      bytes += packet.length
      if (batches.length > 0 && bytes > windowBytesMax) break
      batches.push({ seq, readings: row.readings, packet })
      handedOutId = Math.max(handedOutId, row.id)
    }
    for (const id of broken) removeBroken(id)
    return batches
  }

  const backlog = (): Backlog => ({
    ...totals,
    dropped: droppedReadings,
    oldestAt: totals.batches === 0 ? null : (oldest()?.appendedAt ?? null),
  })

  return {
    append: (all, { historical, cursor }) => {
      const series = all.filter(({ values }) => values.length > 0)
      try {
        totals = append(series, historical, cursor?.source, cursor?.position)
      } catch (cause) {
        for (const { rolledBack } of participants) rolledBack()
        throw database.toFailure(cause)
      }
      lastId = Number(statements.lastId.pluck().get() ?? 0)
      droppedReadings = (statements.numbering.get() as { droppedReadings: number }).droppedReadings
      if (series.length === 0) return
      const appended = { series, historical, latestAt: latestOf(series) }
      for (const { committed } of participants) committed(appended)
      for (const listener of listeners) listener(appended)
    },
    position: (source) => guarded(() => statements.position.pluck().get(source) as string | undefined),
    next: (window) => guarded(() => next(window)),
    acknowledge: (seq) => guarded(() => acknowledge(seq)),
    acknowledged: () => (offset === null ? undefined : guarded(oldestId) + offset - 1),
    backlog: () => guarded(backlog),
    onAppend: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

interface SizedRow {
  readonly id: number
  readonly bytes: number
  readonly readings: number
}

const subtract = (from: Totals, gone: Totals): Totals => {
  invariant(from.batches >= gone.batches, 'no more is removed than was there')
  return {
    batches: from.batches - gone.batches,
    bytes: from.bytes - gone.bytes,
    readings: from.readings - gone.readings,
  }
}

const totalsOf = `SELECT count(*) AS batches, ifnull(sum(bytes), 0) AS bytes, ifnull(sum(readings), 0) AS readings FROM batches`

const prepare = (sqlite: ReadingsDatabase['sqlite']) => ({
  numbering: sqlite.prepare(`SELECT offset, dropped_readings AS droppedReadings FROM numbering`),
  totals: sqlite.prepare(totalsOf),
  totalsUpTo: sqlite.prepare(`${totalsOf} WHERE id <= ?`),
  lastId: sqlite.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'batches'`),
  oldest: sqlite.prepare(`SELECT id, appended_at AS appendedAt FROM batches ORDER BY id LIMIT 1`),
  insert: sqlite.prepare(
    `INSERT INTO batches (appended_at, historical, deflated, readings, bytes, crc32, columns) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  ),
  sizes: sqlite.prepare(`SELECT id, bytes, readings FROM batches ORDER BY id`),
  totalsOfOne: sqlite.prepare(`${totalsOf} WHERE id = ?`),
  remove: sqlite.prepare(`DELETE FROM batches WHERE id <= ?`),
  removeOne: sqlite.prepare(`DELETE FROM batches WHERE id = ?`),
  countDropped: sqlite.prepare(
    `UPDATE numbering SET dropped_batches = dropped_batches + ?, dropped_readings = dropped_readings + ?`,
  ),
  moveOffset: sqlite.prepare(`UPDATE numbering SET offset = ?`),
  next: sqlite.prepare(
    `SELECT id, historical, deflated, readings, crc32, columns FROM batches WHERE id > ? ORDER BY id LIMIT ?`,
  ),
  position: sqlite.prepare(`SELECT position FROM cursors WHERE source = ?`),
  moveCursor: sqlite.prepare(
    `INSERT INTO cursors VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET position = excluded.position`,
  ),
})
