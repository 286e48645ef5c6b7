/**
 * Is the registry still what was written? The chain is recomputed from the first event on, its end is held against
 * the head outside of the database, the projections against a replay, and the guards against the migrations.
 * Cost: about 40 µs an event, in pages, so that the rest of the process gets its turns.
 */

import { sql, type Kysely } from 'kysely'
import { sha256 } from '@imlma/protocol/node'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { openDatabase } from '../storage/database.sqlite.ts'
import type { RegistryTables } from '../storage/tables.ts'
import { chainBrokenHint } from './chain-broken.ts'
import { emptyHead, faultOf, sameHead, toChainedEvent, type ChainHead, type StoredEvent } from './chain.ts'
import type { RecordedHead } from './head.fs.ts'
import { project, projections, type Row } from './project.ts'
import type { ChainFault } from './registry.ts'
import { applyChanges, earliest, emptyProjections, projectionFault, type Projections } from './replay.ts'

const pageRows = 1_000

/** `known` is the head this process wrote last, where it did. Nothing may be appended meanwhile. */
export const verifyRegistry = async (
  db: Kysely<RegistryTables>,
  recorded: RecordedHead | undefined,
  known?: ChainHead,
): Promise<Result<{ events: number; headHash: string }, 'CHAIN_BROKEN'>> => {
  const expected = emptyProjections()
  const chain = await followChain(db, expected, recorded)
  const fault =
    chain.fault ??
    headFault(chain.tail, recorded, known) ??
    (await projectionsFault(db, expected)) ??
    (await schemaFault(db, chain.tail))
  if (fault === undefined) return accept({ events: chain.tail.seq, headHash: chain.tail.hash })
  return refuse('CHAIN_BROKEN', `first bad event ${fault.seq}: ${fault.message}`, chainBrokenHint)
}

interface Followed {
  readonly tail: ChainHead
  readonly fault?: ChainFault
}

const followChain = async (
  db: Kysely<RegistryTables>,
  expected: Projections,
  recorded: RecordedHead | undefined,
): Promise<Followed> => {
  let tail = emptyHead
  for (;;) {
    // By rowid order and not "seq > tail": a row put before the first one must be seen as well.
    const rows = await db
      .selectFrom('events')
      .selectAll()
      .orderBy('seq')
      .limit(pageRows)
      .offset(tail.seq)
      .execute()
    for (const row of rows) {
      const fault = faultOf(tail, row, sha256) ?? followFault(row, expected)
      if (fault !== undefined) return { tail, fault }
      tail = row
      if (recorded?.seq === row.seq && recorded.hash !== row.hash) {
        return {
          tail,
          fault: { seq: row.seq, message: 'events up to here were rewritten: the recorded head differs' },
        }
      }
    }
    if (rows.length < pageRows) return { tail: { seq: tail.seq, hash: tail.hash } }
  }
}

const followFault = (row: StoredEvent, expected: Projections): ChainFault | undefined => {
  try {
    applyChanges(expected, project(toChainedEvent(row)))
    return undefined
  } catch (cause) {
    return {
      seq: row.seq,
      message: `event ${row.seq} is none this program writes: ${String(cause).slice(0, 200)}`,
    }
  }
}

/** The chain must end where the head file says, or where it says the chain was about to end. */
export const headFault = (
  tail: ChainHead,
  recorded: RecordedHead | undefined,
  known?: ChainHead,
): ChainFault | undefined => {
  const witness = known ?? recorded ?? emptyHead
  if (recorded === undefined && tail.seq > 0) {
    return {
      seq: tail.seq,
      message: 'registry.head.json is missing: the newest events may have been removed',
    }
  }
  if (tail.seq < witness.seq) {
    return { seq: tail.seq + 1, message: `the events from ${tail.seq + 1} to ${witness.seq} were removed` }
  }
  const ends = [
    recorded ?? emptyHead,
    ...(recorded?.pending ? [recorded.pending] : []),
    ...(known ? [known] : []),
  ]
  if (ends.some((end) => sameHead(end, tail))) return undefined
  return {
    seq: witness.seq + 1,
    message: `the events from ${witness.seq + 1} on were not written by this registry`,
  }
}

const projectionsFault = async (
  db: Kysely<RegistryTables>,
  expected: Projections,
): Promise<ChainFault | undefined> => {
  const faults: ChainFault[] = []
  for (const table of projections) {
    const rows = (await db.selectFrom(table).selectAll().execute()) as unknown as readonly Row[]
    const fault = projectionFault(expected, table, rows)
    if (fault !== undefined) faults.push(fault)
  }
  return earliest(faults)
}

/** The triggers that keep events from changing, and the view of the champion, must be the ones we made. */
const schemaFault = async (db: Kysely<RegistryTables>, tail: ChainHead): Promise<ChainFault | undefined> => {
  const fresh = openDatabase(':memory:')
  try {
    const [made, found] = [await schemaOf(fresh), await schemaOf(db)]
    for (const [name, definition] of made) {
      if (found.get(name) !== definition) return { seq: tail.seq, message: `${name} was changed or removed` }
    }
    const extra = [...found.keys()].find((name) => !made.has(name))
    return extra === undefined ? undefined : { seq: tail.seq, message: `${extra} does not belong here` }
  } finally {
    await fresh.destroy()
  }
}

const schemaOf = async (db: Kysely<RegistryTables>): Promise<ReadonlyMap<string, string>> => {
  const query = sql<{ type: string; name: string; sql: string }>`
    select type, name, sql from sqlite_master where sql is not null`
  return new Map((await query.execute(db)).rows.map((row) => [`${row.type} ${row.name}`, row.sql]))
}
