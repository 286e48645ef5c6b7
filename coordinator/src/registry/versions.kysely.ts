/** Versions as they follow from the events, read from the projections. */

import type { Kysely } from 'kysely'
import type { RegistryTables, VersionsTable } from '../storage/tables.ts'
import type { Registry, VersionRecord } from './registry.ts'
import { toVersionRecord } from './version-record.ts'

type VersionQueries = Pick<Registry, 'versions' | 'version' | 'champion' | 'shadow' | 'numbers'>

export const createVersionQueries = (db: Kysely<RegistryTables>): VersionQueries => ({
  versions: async (model) => versionRecords(db, await selectVersions(db, model).execute()),
  version: async (model, version) =>
    (await versionRecords(db, await selectVersions(db, model).where('version', '=', version).execute()))[0],
  champion: async (model) => {
    const rows = await selectVersions(db, model)
      .where('version', '=', (query) =>
        query
          .selectFrom('aliases')
          .select('version')
          .where('model', '=', model)
          .where('alias', '=', 'champion'),
      )
      .execute()
    return (await versionRecords(db, rows))[0]
  },
  shadow: async (model) => {
    const rows = await selectVersions(db, model)
      .where('version', 'in', (query) =>
        query.selectFrom('shadows').select('version').where('model', '=', model).where('endedAt', 'is', null),
      )
      .execute()
    return (await versionRecords(db, rows)).at(-1)
  },
  numbers: async (model) => {
    const row = await db
      .selectFrom('versions')
      .select((query) => [query.fn.max('version').as('version'), query.fn.max('release').as('release')])
      .where('model', '=', model)
      .executeTakeFirst()
    const shadows = await db
      .selectFrom('shadows')
      .select((query) => query.fn.max('release').as('release'))
      .where('model', '=', model)
      .executeTakeFirst()
    return { version: row?.version ?? 0, release: Math.max(row?.release ?? 0, shadows?.release ?? 0) }
  },
})

const selectVersions = (db: Kysely<RegistryTables>, model: string) =>
  db.selectFrom('versions').selectAll().where('model', '=', model).orderBy('version')

/** One query each for the runs, the deployments and the shadows of all of them. */
const versionRecords = async (
  db: Kysely<RegistryTables>,
  rows: readonly VersionsTable[],
): Promise<readonly VersionRecord[]> => {
  const model = rows[0]?.model
  if (model === undefined) return []
  const runs = await db.selectFrom('runs').selectAll().where('model', '=', model).execute()
  const deployments = await db
    .selectFrom('deployments')
    .selectAll()
    .where('model', '=', model)
    .orderBy('agent')
    .execute()
  const shadows = await db.selectFrom('shadows').selectAll().where('model', '=', model).execute()
  const shadowOf = new Map(shadows.map((shadow) => [shadow.version, shadow]))
  const byVersion = Map.groupBy(deployments, ({ version }) => version)
  const runByName = new Map(runs.map((run) => [run.run, run]))
  return rows.flatMap((row) => {
    const run = runByName.get(row.run)
    return run === undefined
      ? []
      : [toVersionRecord(row, run, shadowOf.get(row.version), byVersion.get(row.version) ?? [])]
  })
}
