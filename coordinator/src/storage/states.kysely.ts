/** Rooms' states in the `states` table: canonical JSON by room and key. */

import type { z } from 'zod'
import type { Kysely } from 'kysely'
import { Failure } from '@imlma/protocol/result'
import { canonicalJson } from '@imlma/protocol/trust'
import type { StateStore } from './states.ts'
import type { RegistryTables } from './tables.ts'

export const createStateStore = (db: Kysely<RegistryTables>): StateStore => {
  const saveAll: StateStore['saveAll'] = async (room, states, at) => {
    if (states.size === 0) return
    const rows = [...states].map(([key, state]) => ({
      room,
      key,
      value: canonicalJson(state),
      updatedAt: at,
    }))
    await db
      .insertInto('states')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['room', 'key']).doUpdateSet((row) => ({
          value: row.ref('excluded.value'),
          updatedAt: row.ref('excluded.updatedAt'),
        })),
      )
      .execute()
  }
  return {
    load: async (room, key, schema) => {
      const row = await db
        .selectFrom('states')
        .select('value')
        .where('room', '=', room)
        .where('key', '=', key)
        .executeTakeFirst()
      return row && parseState(schema, row.value, room, key)
    },
    loadAll: async (room, schema) => {
      const rows = await db
        .selectFrom('states')
        .select(['key', 'value'])
        .where('room', '=', room)
        .orderBy('key')
        .execute()
      return new Map(rows.map(({ key, value }) => [key, parseState(schema, value, room, key)]))
    },
    save: (room, key, state, at) => saveAll(room, new Map([[key, state]]), at),
    saveAll,
    remove: async (room, key) => {
      await db.deleteFrom('states').where('room', '=', room).where('key', '=', key).execute()
    },
  }
}

const parseState = <State>(schema: z.ZodType<State>, text: string, room: string, key: string): State => {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new Failure('STATE_UNREADABLE', `the stored state ${room}/${key} does not fit this program`, {
      cause,
      hint: 'the database was changed by hand or by another version; restore it from a backup',
    })
  }
}
