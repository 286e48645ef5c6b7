/** The events as people and rooms read them: pages of the log, and everything that belongs to one run. */

import { sql, type Kysely } from 'kysely'
import type { RegistryTables } from '../storage/tables.ts'
import { chainBroken } from './chain-broken.ts'
import { toChainedEvent, type StoredEvent } from './chain.ts'
import type { ChainedEvent } from './events.ts'
import type { Registry } from './registry.ts'

type EventQueries = Pick<Registry, 'events' | 'latestEvents' | 'runEvents'>

/** At most `eventsMax` an answer. Throws `Failure` CHAIN_BROKEN where a row is no event any more. */
export const createEventQueries = (db: Kysely<RegistryTables>, eventsMax: number): EventQueries => {
  const select = (limit: number) =>
    db
      .selectFrom('events')
      .selectAll()
      .limit(Math.max(0, Math.min(limit, eventsMax)))
  return {
    events: async ({ fromSeq = 1, limit = eventsMax }) =>
      (await select(limit).where('seq', '>=', fromSeq).orderBy('seq').execute()).map(readEvent),
    latestEvents: async (limit) => (await select(limit).orderBy('seq', 'desc').execute()).map(readEvent),
    runEvents: async (model) => {
      const latest = await db
        .selectFrom('runs')
        .select(['run', 'version', 'triggeredSeq'])
        .where('model', '=', model)
        .orderBy('triggeredSeq', 'desc')
        .limit(1)
        .executeTakeFirst()
      if (latest === undefined) return []
      const { run, version, triggeredSeq } = latest
      const rows = await select(eventsMax)
        .where('seq', '>=', triggeredSeq)
        .where(sql<string>`event ->> '$.model'`, '=', model)
        .where((where) =>
          where.or([
            where(sql<string>`event ->> '$.run'`, '=', run),
            // Of a retraining without a version yet, `version` is null and equals nothing.
            where(sql<number>`event ->> '$.version'`, '=', version),
          ]),
        )
        .orderBy('seq')
        .execute()
      return rows.map(readEvent)
    },
  }
}

const readEvent = (row: StoredEvent): ChainedEvent => {
  try {
    return toChainedEvent(row)
  } catch (cause) {
    throw chainBroken(`event ${row.seq} cannot be read`, cause)
  }
}
