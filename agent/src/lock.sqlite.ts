/**
 * One agent a data directory. The lock is the kernel's, through SQLite: it ends with the process however that ends, and
 * a process id that another program got meanwhile fools nobody.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Failure } from '@imlma/protocol/result'

/** An agent that is just ending has so long to let go. */
const waitMsMax = 1_000

/** Holds the directory, which is made where it is missing, until the returned function is called. Throws `Failure` DATA_DIR_IN_USE, DATA_DIR_FAILED. */
export const lockFolder = (folder: string): (() => void) => {
  let file: Database.Database | undefined
  try {
    mkdirSync(folder, { recursive: true })
    file = new Database(join(folder, 'agent.lock'), { timeout: waitMsMax })
    file.pragma('journal_mode = MEMORY')
    file.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    file?.close()
    throw toFailure(folder, cause)
  }
  const held = file
  return () => {
    if (held.open) held.close()
  }
}

const toFailure = (folder: string, cause: unknown): Failure =>
  cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_BUSY')
    ? new Failure('DATA_DIR_IN_USE', `another agent runs in ${folder}`, {
        cause,
        hint: 'stop it, or give this one a directory of its own with --data-dir',
      })
    : new Failure('DATA_DIR_FAILED', `${folder} cannot be used`, {
        cause,
        hint: 'check that --data-dir is a directory this user may write to',
      })
