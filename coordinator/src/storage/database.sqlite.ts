/**
 * Opens `registry.db` so that what a call has committed is on disk when it returns. One connection, one writing
 * process; readers of other processes see whole transactions. PostgreSQL would be a second file beside this one.
 */

import Sqlite from 'better-sqlite3'
import { Kysely, SqliteDialect, SqliteDriver, type DatabaseConnection } from 'kysely'
import { Failure } from '@imlma/protocol/result'
import { registryMigrations, type Migration } from './migrations.ts'
import type { RegistryTables } from './tables.ts'

export type RegistryDatabase = Kysely<RegistryTables>

interface DatabaseOptions {
  /** How long a statement waits for another process that writes; longer is somebody's fault. */
  readonly busyTimeoutMs?: number
  readonly migrations?: readonly Migration[]
}

/**
 * Opens or creates the database and brings it to the newest version.
 * Throws `Failure` DATABASE_NEWER, DATABASE_CORRUPT, DATABASE_BUSY (retryable), DATABASE_UNUSABLE.
 */
export const openDatabase = (path: string, options: DatabaseOptions = {}): RegistryDatabase => {
  const { busyTimeoutMs = 5_000, migrations = registryMigrations } = options
  let connection: Sqlite.Database | undefined
  try {
    connection = new Sqlite(path, { timeout: busyTimeoutMs })
    connection.pragma('journal_mode = WAL')
    // NORMAL would lose the last transactions in a power cut.
    connection.pragma('synchronous = FULL')
    connection.pragma('foreign_keys = ON')
    migrate(connection, path, migrations)
    return new Kysely<RegistryTables>({ dialect: toDialect(connection) })
  } catch (cause) {
    connection?.close()
    throw cause instanceof Failure ? cause : toFailure(path, cause)
  }
}

/**
 * Of a full or failing disk SQLite takes a transaction back itself (SQLite, "Response To Errors Within A Transaction"):
 * taking it back once more would fail, and hide why.
 */
const toDialect = (database: Sqlite.Database): SqliteDialect => {
  const driver = new SqliteDriver({ database })
  const rollBack = driver.rollbackTransaction.bind(driver)
  driver.rollbackTransaction = async (connection: DatabaseConnection) => {
    if (database.inTransaction) await rollBack(connection)
  }
  const dialect = new SqliteDialect({ database })
  dialect.createDriver = () => driver
  return dialect
}

/** Each step is a transaction of its own, with the version it leads to: a step is done or not begun. */
const migrate = (connection: Sqlite.Database, path: string, migrations: readonly Migration[]): void => {
  const newest = migrations.at(-1)?.version ?? 0
  const found = versionOf(connection)
  if (found > newest) {
    throw new Failure('DATABASE_NEWER', `${path} has version ${found}, this program knows ${newest}`, {
      hint: 'start the newer program that wrote it, or restore the backup made before it was upgraded',
    })
  }
  for (const { version, statements } of migrations) {
    const step = connection.transaction(() => {
      if (versionOf(connection) >= version) return
      for (const statement of statements) connection.exec(statement)
      connection.pragma(`user_version = ${version}`)
    })
    step.immediate()
  }
}

const versionOf = (connection: Sqlite.Database): number =>
  connection.pragma('user_version', { simple: true }) as number

const toFailure = (path: string, cause: unknown): Failure => {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return new Failure('DATABASE_CORRUPT', `${path} is no intact SQLite database`, {
      cause,
      hint: 'keep the file for analysis and restore it, with registry.head.json, from a backup',
    })
  }
  if (code.startsWith('SQLITE_BUSY')) {
    return new Failure('DATABASE_BUSY', `${path} is locked by another process`, {
      cause,
      retryable: true,
      hint: 'is a second control centre running on the same data directory?',
    })
  }
  return new Failure('DATABASE_UNUSABLE', `cannot open ${path}`, {
    cause,
    hint: 'check that the folder exists, is writable and has space',
  })
}
