/** The append side in SQL: events and what they change, in one transaction. */

import { sql, type Kysely, type Transaction } from 'kysely'
import { invariant } from '@imlma/protocol/result'
import type { RegistryTables } from '../storage/tables.ts'
import { emptyHead, toStoredEvent, type ChainHead } from './chain.ts'
import type { ChainedEvent } from './events.ts'
import { project, projectionKeys, type Row, type RowChange } from './project.ts'

/** Where the stored chain ends. */
export const tailOf = async (db: Kysely<RegistryTables>): Promise<ChainHead> =>
  (await db
    .selectFrom('events')
    .select(['seq', 'hash'])
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()) ?? emptyHead

/** All or nothing. Throws what SQLite throws, and on a change to a row that is not there. */
export const writeEvents = (db: Kysely<RegistryTables>, events: readonly ChainedEvent[]): Promise<void> =>
  db.transaction().execute(async (transaction) => {
    for (const event of events) {
      await transaction.insertInto('events').values(toStoredEvent(event)).execute()
      for (const change of project(event)) await write(transaction, change)
    }
  })

/** Tables and columns come from our own tables of names, never from an event; values are bound. */
const write = async (transaction: Transaction<RegistryTables>, change: RowChange): Promise<void> => {
  const { table } = change
  if (change.kind === 'change') {
    const { numAffectedRows } = await sql`update ${sql.table(table)} set ${assignments(change.values)}
      where ${where(change.key)}`.execute(transaction)
    invariant(numAffectedRows === 1n, `${table} ${JSON.stringify(change.key)} is there before it changes`)
    return
  }
  const columns = sql.join(Object.keys(change.row).map((column) => sql.ref(column)))
  const insert = sql`insert into ${sql.table(table)} (${columns}) values (${sql.join(Object.values(change.row))})`
  if (change.kind === 'insert') {
    await insert.execute(transaction)
    return
  }
  const keys = sql.join(projectionKeys[table].map((column) => sql.ref(column)))
  await sql`${insert} on conflict (${keys}) do update set ${assignments(change.row)}`.execute(transaction)
}

const assignments = (values: Row) =>
  sql.join(Object.entries(values).map(([column, value]) => sql`${sql.ref(column)} = ${value}`))

const where = (key: Row) =>
  sql.join(
    Object.entries(key).map(([column, value]) => sql`${sql.ref(column)} = ${value}`),
    sql` and `,
  )
