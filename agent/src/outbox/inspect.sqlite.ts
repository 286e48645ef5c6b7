/** What the file of readings of a stopped agent holds, read without changing anything: it may be evidence. */

import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { Failure } from '@imlma/protocol/result'

export interface HeldOnDisk {
  readonly batches: number
  readonly readings: number
  readonly bytes: number
  /** Real time at which the oldest was appended. */
  readonly oldestAt: number | null
}

/** Throws `Failure` STORE_UNREADABLE. */
export const inspectOutbox = (path: string): HeldOnDisk => {
  if (!existsSync(path)) return { batches: 0, readings: 0, bytes: 0, oldestAt: null }
  let file: Database.Database | undefined
  try {
    file = new Database(path, { readonly: true })
    return file
      .prepare(
        `SELECT count(*) AS batches, ifnull(sum(readings), 0) AS readings, ifnull(sum(bytes), 0) AS bytes,
                min(appended_at) AS oldestAt FROM batches`,
      )
      .get() as HeldOnDisk
  } catch (cause) {
    throw new Failure('STORE_UNREADABLE', `${path} cannot be read`, {
      cause,
      hint: 'the next start sets a broken file aside and keeps what can be read of it',
    })
  } finally {
    file?.close()
  }
}
