/**
 * Everything that can still be read of a broken file of readings, row by row, into a new one: from the beginning and from
 * the end up to what does not read, and batches one by one in between. Numbers are taken over as doubtful: nothing leaves
 * before the coordinator has said what it knows (`sequence.ts`).
 */

import { crc32 } from 'node:zlib'
import Database from 'better-sqlite3'

export interface Salvaged {
  readonly batches: number
  readonly readings: number
  /** Batches that were there and do not read any more, as far as one can tell. */
  readonly lostBatches: number
}

/** A table in the order of its key. Every value of the key is a column. */
interface Table {
  readonly name: string
  readonly key: readonly string[]
}

const others: readonly Table[] = [
  { name: 'cursors', key: ['source'] },
  { name: 'series', key: ['id'] },
  { name: 'blocks', key: ['block', 'series'] },
  { name: 'recent', key: ['id'] },
  { name: 'drops', key: ['class'] },
  { name: 'alarms', key: ['id'] },
]

/** Ids looked for one by one between the last that reads and the next: more than a quota of batches. */
const probesMax = 200_000

type Row = Readonly<Record<string, unknown>>

/** What cannot be read is left out; throws only what writing into the new file throws. `version`: the highest known. */
export const salvage = (path: string, into: Database.Database, version: number): Salvaged => {
  const nothing = { batches: 0, readings: 0, lostBatches: 0 }
  let from: Database.Database
  try {
    from = new Database(path, { fileMustExist: true })
    if (Number(from.pragma('user_version', { simple: true })) > version) {
      from.close()
      return nothing
    }
  } catch {
    return nothing
  }
  try {
    const batches = into.transaction(() => salvageBatches(from, into))()
    into.transaction(() => {
      for (const table of others) salvageTable(from, into, table)
      eachRow(from, { name: 'numbering', key: ['one'] }, 'ASC', (row) => {
        // Of the first version: the coordinator says where to continue.
        if ('numbered' in row) put(into, 'numbering', { ...row, confirmed: 0 })
      })
    })()
    return batches
  } finally {
    from.close()
  }
}

const salvageBatches = (from: Database.Database, into: Database.Database): Salvaged => {
  const found = { batches: 0, readings: 0, lostBatches: 0 }
  const take = (row: Row): void => {
    const { columns } = row
    if (!(columns instanceof Uint8Array) || crc32(columns) !== row['crc32'] || !put(into, 'batches', row)) {
      found.lostBatches += 1
      return
    }
    found.batches += 1
    found.readings += Number(row['readings'])
  }
  const batches: Table = { name: 'batches', key: ['id'] }
  let last = 0
  const isWhole = eachRow(from, batches, 'ASC', (row) => {
    take(row)
    last = Number(row['id'])
  })
  if (isWhole) return found
  let first = Number.POSITIVE_INFINITY
  eachRow(from, batches, 'DESC', (row) => {
    if (Number(row['id']) <= last) return
    take(row)
    first = Number(row['id'])
  })
  // An id that is not there was acknowledged or dropped; one that cannot be looked for was there.
  for (let id = last + 1; id < Math.min(first, last + probesMax); id++) {
    const row = probe(from, id)
    if (row === 'unreadable' && first === Number.POSITIVE_INFINITY) break
    if (row === 'unreadable') found.lostBatches += 1
    else if (row !== undefined) take(row)
  }
  return found
}

const salvageTable = (from: Database.Database, into: Database.Database, table: Table): void => {
  const isWhole = eachRow(from, table, 'ASC', (row) => void put(into, table.name, row))
  if (!isWhole) eachRow(from, table, 'DESC', (row) => void put(into, table.name, row))
}

/** False where it ended before the table did. */
const eachRow = (
  from: Database.Database,
  { name, key }: Table,
  order: 'ASC' | 'DESC',
  take: (row: Row) => void,
): boolean => {
  const by = key.map((column) => `${column} ${order}`).join(', ')
  try {
    const rows = from.prepare(`SELECT * FROM ${name} ORDER BY ${by}`).iterate() as Iterable<Row>
    for (const row of rows) {
      try {
        take(row)
      } catch (cause) {
        throw new NotWritten(cause)
      }
    }
    return true
  } catch (cause) {
    if (cause instanceof NotWritten) throw cause.cause
    return false
  }
}

/** Of the new file: another matter than what the old one does not give. */
class NotWritten extends Error {
  constructor(cause: unknown) {
    super('a row was not written')
    this.cause = cause
  }
}

const probe = (from: Database.Database, id: number): Row | 'unreadable' | undefined => {
  try {
    return from.prepare(`SELECT * FROM batches WHERE id = ?`).get(id) as Row | undefined
  } catch {
    return 'unreadable'
  }
}

/** False where the table does not take such a row, or has it. */
const put = (into: Database.Database, table: string, row: Row): boolean => {
  const columns = Object.keys(row)
  const places = columns.map(() => '?').join(', ')
  const insert = into.prepare(`INSERT OR REPLACE INTO ${table} (${columns.join(', ')}) VALUES (${places})`)
  try {
    insert.run(...Object.values(row))
    return true
  } catch (cause) {
    if (cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_CONSTRAINT')) return false
    throw cause
  }
}
