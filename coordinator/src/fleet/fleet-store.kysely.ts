/** The fleet's memory in `registry.db`: one CBOR document per agent and per version. */

import type { Kysely } from 'kysely'
import { encodeCbor, parseCborMessage } from '@imlma/protocol/wire'
import type { RegistryTables } from '../storage/tables.ts'
import { storedAgentSchema, storedPerformanceSchema, type FleetStore } from './fleet-store.ts'

/** Our own documents; the largest holds 64 windows. */
const recordBytesMax = 16_777_216

export const createFleetStore = (db: Kysely<RegistryTables>): FleetStore => ({
  load: async () => {
    const agents = await db.selectFrom('fleetAgents').select('record').execute()
    const performance = await db.selectFrom('fleetPerformance').select('record').execute()
    return {
      agents: agents.flatMap(({ record }) => {
        const parsed = parseCborMessage(storedAgentSchema, record, recordBytesMax)
        return parsed.ok ? [parsed.value] : []
      }),
      performance: performance.flatMap(({ record }) => {
        const parsed = parseCborMessage(storedPerformanceSchema, record, recordBytesMax)
        return parsed.ok ? [parsed.value] : []
      }),
    }
  },
  save: (agents, performance) =>
    db.transaction().execute(async (transaction) => {
      for (const stored of agents) {
        const { site, agent } = stored.record
        const record = Buffer.from(encodeCbor(stored))
        await transaction
          .insertInto('fleetAgents')
          .values({ site, agent, record })
          .onConflict((conflict) => conflict.columns(['site', 'agent']).doUpdateSet({ record }))
          .execute()
      }
      for (const stored of performance) {
        const { model, version } = stored.sums
        const record = Buffer.from(encodeCbor(stored))
        await transaction
          .insertInto('fleetPerformance')
          .values({ model, version, record })
          .onConflict((conflict) => conflict.columns(['model', 'version']).doUpdateSet({ record }))
          .execute()
      }
    }),
})
