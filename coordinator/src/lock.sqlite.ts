/**
 * One process a part and data directory: two that decide would promote twice. The lock is the kernel's, through SQLite,
 * so it ends with the process however that ends.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { Failure } from '@imlma/protocol/result'

/** A process that is just ending has so long to let go. */
const waitMsMax = 2_000

/** Held until the returned function is called. Throws `Failure` DATA_DIR_IN_USE, DATA_DIR_FAILED. */
export const lockPart = (folder: string, part: 'broker' | 'control'): (() => void) => {
  let file: Sqlite.Database | undefined
  try {
    mkdirSync(folder, { recursive: true })
    file = new Sqlite(join(folder, `${part}.lock`), { timeout: waitMsMax })
    file.pragma('journal_mode = MEMORY')
    file.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    file?.close()
    const isBusy = cause instanceof Sqlite.SqliteError && cause.code.startsWith('SQLITE_BUSY')
    throw isBusy
      ? new Failure('DATA_DIR_IN_USE', `another ${part} process runs in ${folder}`, {
          cause,
          hint: 'stop it, or give this one a directory of its own with --data-dir',
        })
      : new Failure('DATA_DIR_FAILED', `${folder} cannot be used`, {
          cause,
          hint: 'check that --data-dir is a directory this user may write to',
        })
  }
  const held = file
  return () => {
    if (held.open) held.close()
  }
}
