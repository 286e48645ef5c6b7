/**
 * Opens `readings.db`: settings that make a commit durable, the schema brought up to date, and SQLite's errors put in
 * words that an operator can act on.
 */

import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { Failure } from '@imlma/protocol/result'
import { readingsMigrations } from './readings-migrations.ts'

export type Connection = Database.Database

/** Waits this long for another process's lock before giving up; a checkpoint on a slow card takes about a second. */
const busyTimeoutMs = 5_000

/** Read and write. `:memory:` for tests. Throws `Failure` STORE_FAILED, SCHEMA_NEWER. */
export const openForWriting = (path: string): Connection =>
  attempt(path, () => {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
    const database = new Database(path, { timeout: busyTimeoutMs })
    database.pragma('journal_mode = WAL')
    // FULL syncs the log at every commit: what was acknowledged survives a power cut.
    database.pragma('synchronous = FULL')
    migrate(database, path)
    return database
  })

/** Read only. Throws `Failure` STORE_MISSING (retryable) while the writer has not made the file yet. */
export const openForReading = (path: string): Connection =>
  attempt(path, () => {
    if (!existsSync(path)) throw missing(path)
    const database = new Database(path, { timeout: busyTimeoutMs, readonly: true, fileMustExist: true })
    const version = versionOf(database)
    if (version === readingsMigrations.length) return database
    database.close()
    throw version > readingsMigrations.length ? newer(path, version) : missing(path)
  })

/** Runs a piece of work on the database; SQLite's errors become `Failure` NO_SPACE or STORE_FAILED. */
export const attempt = <Value>(path: string, work: () => Value): Value => {
  try {
    return work()
  } catch (cause) {
    throw isSqliteError(cause) ? toFailure(path, cause) : cause
  }
}

const migrate = (database: Connection, path: string): void => {
  database
    .transaction(() => {
      const version = versionOf(database)
      if (version > readingsMigrations.length) throw newer(path, version)
      for (const step of readingsMigrations.slice(version)) database.exec(step)
      database.pragma(`user_version = ${readingsMigrations.length}`)
    })
    .immediate()
}

const versionOf = (database: Connection): number =>
  database.pragma('user_version', { simple: true }) as number

const missing = (path: string): Failure =>
  new Failure('STORE_MISSING', `no readings at ${path} yet`, {
    retryable: true,
    hint: 'start the broker process (`imlma-coordinator broker`) with the same --data-dir; it makes the file',
  })

const newer = (path: string, version: number): Failure =>
  new Failure(
    'SCHEMA_NEWER',
    `${path} has schema ${version}, this program knows ${readingsMigrations.length}`,
    {
      hint: 'start the version of the program that wrote it, or a later one',
    },
  )

const isSqliteError = (error: unknown): error is Error & { code: string } =>
  error instanceof Database.SqliteError

const toFailure = (path: string, cause: Error & { code: string }): Failure => {
  if (cause.code === 'SQLITE_FULL') {
    return new Failure('NO_SPACE', `no space left for ${path}`, {
      cause,
      retryable: true,
      hint: 'free disk space; agents keep what is not acknowledged and send it again',
    })
  }
  const passing = /^SQLITE_(BUSY|IOERR|LOCKED|PROTOCOL)/.test(cause.code)
  return new Failure('STORE_FAILED', `${path}: ${cause.message} (${cause.code})`, {
    cause,
    retryable: passing,
    hint: passing
      ? 'check the disk, and that no other program holds the file'
      : 'check that the file is a readings database, undamaged and writable; restore it from a backup otherwise',
  })
}
