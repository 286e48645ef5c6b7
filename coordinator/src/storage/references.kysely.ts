/**
 * Which artifacts does anything speak of? Every SHA-256 in what happened (events) and in what rooms must find again
 * (states), whatever field it stands in: a new kind of event cannot be forgotten here.
 */

import type { Kysely } from 'kysely'
import type { RegistryTables } from './tables.ts'

/** Events read at a time: some megabytes at the most. */
const pageRows = 1_000

const digest = /\b[0-9a-f]{64}\b/g

export const readReferences = async (db: Kysely<RegistryTables>): Promise<ReadonlySet<string>> => {
  const found = new Set<string>()
  const note = (text: string): void => {
    for (const [sha256] of text.matchAll(digest)) found.add(sha256)
  }
  for (let after = 0; ;) {
    const rows = await db
      .selectFrom('events')
      .select(['seq', 'event'])
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(pageRows)
      .execute()
    for (const { event } of rows) note(event)
    const last = rows.at(-1)
    if (last === undefined) break
    after = last.seq
  }
  for (const { value } of await db.selectFrom('states').select('value').execute()) note(value)
  return found
}
