/**
 * The outbox on SQLite: one transaction a call, WAL, synchronous FULL, so that what `append` returned from survives
 * a power cut. What is held is one value in memory (`held.ts`), counted once at the start; a transaction makes the next
 * one and it is taken when the transaction is on disk.
 */

import type { ReadingSeries } from '@imlma/protocol/wire'
import { countReadings, latestOf, splitIntoBatches } from './batches.ts'
import { toClass } from './classes.ts'
import type { ReadingsDatabase } from './database.sqlite.ts'
import { batchesOf, bytesOf, toHeld, withAdded, withRemoved, type Held } from './held.ts'
import { chooseNext, liveBatchesMax } from './lanes.ts'
import type { Appended, AppendParticipant, Backlog, Cursor, Outbox, OutboundBatch, Window } from './outbox.ts'
import { isIntact, storeColumns, toPacket, type SignPacket } from './payload.zlib.ts'
import { createRows, type SizedRow } from './rows.sqlite.ts'
import { admit, mayLeave, numberedMax, stepAck, toAcknowledged, without } from './sequence.ts'
import { createVictims } from './victims.sqlite.ts'

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

/** Acknowledged batches that wait for the next write to be removed. */
const removableMax = 16

export const createOutbox = (parts: OutboxParts, options: OutboxOptions = {}): Outbox => {
  const { database, now, participants = [], sign } = parts
  const bytesMax = options.bytesMax ?? 256 * 1_048_576
  const rows = createRows(database)
  const victims = createVictims(rows, bytesMax)
  const listeners = new Set<(appended: Appended) => void>()
  let held = toHeld(rows.numbering(), rows.newestLive(liveBatchesMax + numberedMax), rows.totals())
  let dropped = rows.dropped()

  const guarded = <Value>(work: () => Value): Value => {
    try {
      return work()
    } catch (cause) {
      throw database.toFailure(cause)
    }
  }

  /** Within a transaction: removes what was acknowledged. */
  const settled = (before: Held): Held => {
    if (before.removable.length === 0) return before
    for (const id of before.removable) rows.remove(id)
    rows.putNumbering(before.numbering)
    return { ...before, removable: [] }
  }

  /** Within a transaction: these go and are counted. */
  const drop = (before: Held, gone: readonly SizedRow[], kind?: 'damaged'): Held => {
    if (gone.length === 0) return before
    for (const row of gone) {
      rows.remove(row.id)
      rows.countDropped(kind ?? toClass(row.historical === 1), row.readings)
    }
    const after = withRemoved(before, gone)
    const ids = new Set(gone.map(({ id }) => id))
    const numbering = without(after.numbering, ids)
    if (numbering.window.length < after.numbering.window.length) rows.putNumbering(numbering)
    return { ...after, numbering, live: after.live.filter((id) => !ids.has(id)) }
  }

  const insert = (series: readonly ReadingSeries[], historical: boolean): Held => {
    let next = settled(held)
    const stored = splitIntoBatches(series).map((batch) => {
      const readings = countReadings(batch)
      const columns = storeColumns(batch, readings)
      const id = rows.insert(columns, { appendedAt: now(), historical, readings })
      next = withAdded(next, { id, bytes: columns.bytes.length, readings, historical: historical ? 1 : 0 })
      return columns
    })
    next = drop(next, victims.choose(next))
    for (const { write } of participants) write(series, stored)
    return next
  }

  const append = database.sqlite.transaction(
    (series: readonly ReadingSeries[], historical: boolean, cursor: Cursor | undefined): Held => {
      if (cursor !== undefined) rows.moveCursor(cursor.source, cursor.position)
      return series.length === 0 ? held : insert(series, historical)
    },
  )
  const settle = database.sqlite.transaction((): Held => settled(held))
  const dropDamaged = database.sqlite.transaction((gone: readonly SizedRow[]): Held =>
    drop(settled(held), gone, 'damaged'),
  )

  /** Ids without a number that are not in the live lane, oldest first. */
  const oldestOfBacklog = (count: number): readonly number[] => {
    const { numbering, live, removable } = held
    const others = new Set([...numbering.window.map(({ id }) => id), ...live, ...removable])
    return rows
      .oldest(count + others.size)
      .filter((id) => !others.has(id))
      .slice(0, count)
  }

  const admitInto = database.sqlite.transaction((chosen: Parameters<typeof admit>[1]): Held => {
    const before = settled(held)
    const numbering = admit(before.numbering, chosen)
    rows.putNumbering(numbering)
    const ids = new Set(chosen.map(({ id }) => id))
    return { ...before, numbering, live: before.live.filter((id) => !ids.has(id)) }
  })

  const admitMore = ({ after, batchesMax, backlogMax = Number.POSITIVE_INFINITY }: Window): void => {
    const { window } = held.numbering
    const leaving = window.filter(({ seq }) => seq > after).length
    const room = {
      batchesMax: Math.max(0, Math.min(batchesMax - leaving, numberedMax - window.length)),
      backlogMax,
      backlogNumbered: window.filter(({ isBacklog }) => isBacklog).length,
    }
    const chosen = chooseNext({ live: held.live, backlog: oldestOfBacklog }, room)
    if (chosen.length > 0) held = admitInto(chosen)
  }

  const next = (window: Window): readonly OutboundBatch[] => {
    if (!mayLeave(held.numbering) || batchesOf(held) === 0) return []
    try {
      admitMore(window)
    } catch (cause) {
      // What has its number leaves also while the disk takes no other.
      if (!held.numbering.window.some(({ seq }) => seq > window.after)) throw cause
    }
    const oldest = (toAcknowledged(held.numbering) ?? 0) + 1
    const batches: OutboundBatch[] = []
    const broken: SizedRow[] = []
    let bytes = 0
    for (const { seq, id, isBacklog } of held.numbering.window) {
      if (seq <= window.after) continue
      if (batches.length >= window.batchesMax) break
      const row = rows.read(id)
      if (row === undefined || !isIntact(row.stored)) {
        broken.push(rows.size(id) ?? { id, bytes: 0, readings: 0, historical: 0 })
        continue
      }
      const historical = isBacklog || row.historical === 1
      const packet = toPacket({ seq, oldest, sentAt: now(), historical }, row.stored, sign)
      bytes += packet.length
      if (batches.length > 0 && bytes > window.bytesMax) break
      batches.push({ seq, readings: row.readings, isBacklog: historical, packet })
    }
    // A batch that the disk has changed can never be acknowledged: it goes, and is counted.
    if (broken.length > 0) {
      held = dropDamaged(broken)
      dropped = rows.dropped()
    }
    return batches
  }

  const acknowledge = (seq: number) => {
    const step = stepAck(held.numbering, seq)
    if (step === undefined) return { removed: 0, renumbered: false }
    const { numbering, removed, renumbered } = step
    if (removed.length === 0) rows.putNumbering(numbering)
    if (renumbered) {
      victims.forget()
      const live = rows.newestLive(liveBatchesMax + held.removable.length)
      held = {
        ...held,
        numbering,
        live: live.filter((id) => !held.removable.includes(id)).slice(-liveBatchesMax),
      }
    } else {
      const gone = removed.flatMap(({ id }) => rows.size(id) ?? [])
      const removable = [...held.removable, ...removed.map(({ id }) => id)]
      held = { ...withRemoved(held, gone), numbering, removable }
      if (removable.length >= removableMax) held = settle()
    }
    return { removed: removed.length, renumbered }
  }

  const backlog = (): Backlog => {
    const [oldest] = rows.oldest(held.removable.length + 1).filter((id) => !held.removable.includes(id))
    return {
      batches: batchesOf(held),
      bytes: bytesOf(held),
      readings: held.totals.old.readings + held.totals.recent.readings,
      dropped: dropped.old + dropped.recent + dropped.damaged,
      droppedByClass: { ...dropped, alarm: rows.dropped().alarm },
      oldestAt: oldest === undefined ? null : rows.appendedAt(oldest),
    }
  }

  return {
    append: (all, { historical, cursor }) => {
      const series = all.filter(({ values }) => values.length > 0)
      try {
        held = append(series, historical, cursor)
      } catch (cause) {
        for (const { rolledBack } of participants) rolledBack()
        throw database.toFailure(cause)
      }
      if (series.length === 0) return
      dropped = guarded(rows.dropped)
      const appended = { series, historical, latestAt: latestOf(series) }
      for (const { committed } of participants) committed(appended)
      for (const listener of listeners) listener(appended)
    },
    position: (source) => guarded(() => rows.position(source)),
    next: (window) => guarded(() => next(window)),
    acknowledge: (seq) => guarded(() => acknowledge(seq)),
    acknowledged: () => toAcknowledged(held.numbering),
    settle: () => guarded(() => void (held = settle())),
    backlog: () => guarded(backlog),
    onAppend: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
