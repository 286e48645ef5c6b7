/** The tables of the outbox, row by row: what is held, how it is numbered, how far each source has come, what was dropped. */

import { z } from 'zod'
import { dropClasses, toClass, type DropClass, type ReadingClass } from './classes.ts'
import type { ReadingsDatabase } from './database.sqlite.ts'
import type { StoredColumns } from './outbox.ts'
import type { Numbering } from './sequence.ts'

/** Of batches, with their size on disk. */
export interface Totals {
  readonly batches: number
  readonly bytes: number
  readonly readings: number
}

export interface SizedRow {
  readonly id: number
  readonly bytes: number
  readonly readings: number
  readonly historical: 0 | 1
}

export interface StoredRow {
  readonly id: number
  readonly historical: 0 | 1
  readonly readings: number
  readonly stored: StoredColumns
}

export interface Rows {
  /** Returns its id, which is higher than every one before it. */
  readonly insert: (
    stored: StoredColumns,
    about: { readonly appendedAt: number; readonly historical: boolean; readonly readings: number },
  ) => number
  readonly read: (id: number) => StoredRow | undefined
  readonly size: (id: number) => SizedRow | undefined
  readonly remove: (id: number) => void
  readonly totals: () => Readonly<Record<ReadingClass, Totals>>
  /** Ids in ascending order; at most so many. */
  readonly oldest: (count: number) => readonly number[]
  readonly newest: () => number | undefined
  readonly appendedAt: (id: number) => number | null
  /** Of one class above an id, ascending. No other row may be written while it is read. */
  readonly ofClass: (kind: ReadingClass, aboveId: number) => Iterable<SizedRow>
  /** The newest that came live, ascending. */
  readonly newestLive: (count: number) => readonly number[]
  readonly numbering: () => Numbering
  readonly putNumbering: (numbering: Numbering) => void
  readonly dropped: () => Readonly<Record<DropClass, number>>
  /** `count`: readings, or alarms. */
  readonly countDropped: (kind: DropClass, count: number) => void
  readonly position: (source: string) => string | undefined
  readonly moveCursor: (source: string, position: string) => void
}

/** [sequence, id, 1 where it is backlog], as short as it can be: it is written with every window. */
const windowSchema = z.array(z.tuple([z.int(), z.int(), z.int()]))

export const createRows = ({ sqlite }: Pick<ReadingsDatabase, 'sqlite'>): Rows => {
  const statements = prepare(sqlite)
  const totalsOf = (kind: ReadingClass): Totals => statements.totals.get(Number(kind === 'old')) as Totals
  return {
    insert: ({ bytes, deflated, crc32 }, { appendedAt, historical, readings }) =>
      Number(
        statements.insert.run(
          appendedAt,
          Number(historical),
          Number(deflated),
          readings,
          bytes.length,
          crc32,
          bytes,
        ).lastInsertRowid,
      ),
    read: (id) => {
      const row = statements.read.get(id) as RawRow | undefined
      if (row === undefined) return undefined
      const { historical, readings, columns, deflated, crc32 } = row
      return { id, historical, readings, stored: { bytes: columns, deflated: deflated === 1, crc32 } }
    },
    size: (id) => statements.size.get(id) as SizedRow | undefined,
    remove: (id) => void statements.remove.run(id),
    totals: () => ({ old: totalsOf('old'), recent: totalsOf('recent') }),
    oldest: (count) => statements.oldest.pluck().all(count) as number[],
    newest: () => statements.newest.pluck().get() as number | undefined,
    appendedAt: (id) => (statements.appendedAt.pluck().get(id) as number | undefined) ?? null,
    ofClass: (kind, aboveId) =>
      statements.ofClass.iterate(Number(kind === toClass(true)), aboveId) as Iterable<SizedRow>,
    newestLive: (count) => (statements.newestLive.pluck().all(count) as number[]).toReversed(),
    numbering: () => {
      const raw = statements.numbering.get() as RawNumbering | undefined
      const window = parseWindow(raw?.numbered ?? '')
      // What the disk has changed is no numbering: the coordinator says where to continue.
      if (raw === undefined || window === undefined) return { next: null, isConfirmed: true, window: [] }
      return { next: raw.next, isConfirmed: raw.confirmed === 1, window }
    },
    putNumbering: ({ next, isConfirmed, window }) => {
      const numbered = window.map(({ seq, id, isBacklog }) => [seq, id, Number(isBacklog)])
      statements.putNumbering.run(next, Number(isConfirmed), JSON.stringify(numbered))
    },
    dropped: () => {
      const counted = statements.dropped.all() as { class: DropClass; dropped: number }[]
      const of = (kind: DropClass): number => counted.find((each) => each.class === kind)?.dropped ?? 0
      return Object.fromEntries(dropClasses.map((kind) => [kind, of(kind)])) as Record<DropClass, number>
    },
    countDropped: (kind, count) => void statements.countDropped.run(kind, count),
    position: (source) => statements.position.pluck().get(source) as string | undefined,
    moveCursor: (source, position) => void statements.moveCursor.run(source, position),
  }
}

const parseWindow = (text: string): Numbering['window'] | undefined => {
  try {
    return windowSchema
      .parse(JSON.parse(text))
      .map(([seq, id, isBacklog]) => ({ seq, id, isBacklog: isBacklog === 1 }))
  } catch {
    return undefined
  }
}

interface RawRow {
  readonly historical: 0 | 1
  readonly deflated: number
  readonly readings: number
  readonly crc32: number
  readonly columns: Uint8Array
}

interface RawNumbering {
  readonly next: number | null
  readonly confirmed: number
  readonly numbered: string
}

const prepare = (sqlite: ReadingsDatabase['sqlite']) => ({
  insert: sqlite.prepare(
    `INSERT INTO batches (appended_at, historical, deflated, readings, bytes, crc32, columns) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  ),
  read: sqlite.prepare(`SELECT historical, deflated, readings, crc32, columns FROM batches WHERE id = ?`),
  size: sqlite.prepare(`SELECT id, bytes, readings, historical FROM batches WHERE id = ?`),
  remove: sqlite.prepare(`DELETE FROM batches WHERE id = ?`),
  totals: sqlite.prepare(
    `SELECT count(*) AS batches, ifnull(sum(bytes), 0) AS bytes, ifnull(sum(readings), 0) AS readings
     FROM batches WHERE historical = ?`,
  ),
  oldest: sqlite.prepare(`SELECT id FROM batches ORDER BY id LIMIT ?`),
  newest: sqlite.prepare(`SELECT max(id) FROM batches`),
  appendedAt: sqlite.prepare(`SELECT appended_at FROM batches WHERE id = ?`),
  ofClass: sqlite.prepare(
    `SELECT id, bytes, readings, historical FROM batches WHERE historical = ? AND id > ? ORDER BY id`,
  ),
  newestLive: sqlite.prepare(`SELECT id FROM batches WHERE historical = 0 ORDER BY id DESC LIMIT ?`),
  numbering: sqlite.prepare(`SELECT next, confirmed, numbered FROM numbering`),
  putNumbering: sqlite.prepare(`REPLACE INTO numbering VALUES (1, ?, ?, ?)`),
  dropped: sqlite.prepare(`SELECT class, dropped FROM drops`),
  countDropped: sqlite.prepare(
    `INSERT INTO drops VALUES (?, ?) ON CONFLICT (class) DO UPDATE SET dropped = dropped + excluded.dropped`,
  ),
  position: sqlite.prepare(`SELECT position FROM cursors WHERE source = ?`),
  moveCursor: sqlite.prepare(
    `INSERT INTO cursors VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET position = excluded.position`,
  ),
})
