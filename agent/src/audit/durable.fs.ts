/** Writing that gives way to nobody, and what its failures say. */

import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { Failure } from '@imlma/protocol/result'

/** Temporary file → fsync → rename, without giving way to anybody: the log is in between two segments. */
export const writeNow = (path: string, text: string): void => {
  const temporary = `${path}.partial`
  const file = openSync(temporary, 'w')
  try {
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

export const syncFolderNow = (folder: string): void => {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

export const failing = <Value>(folder: string, work: () => Value): Value => {
  try {
    return work()
  } catch (cause) {
    throw failed(folder, cause)
  }
}

export const failed = (folder: string, cause: unknown): Failure =>
  new Failure('AUDIT_FAILED', `the audit log in ${folder} cannot be written or read`, {
    cause,
    retryable: true,
    hint: 'check free space and permissions of the data directory; the agent serves on, and counts what it cannot record',
  })
