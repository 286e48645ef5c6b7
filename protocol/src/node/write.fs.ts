/** Replaces a file so that a power cut leaves either the old content or the new one, never half of it. */

import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Failure } from '../result.ts'

/** Temporary file → fsync → rename → fsync of the folder. Throws `Failure` NO_SPACE or WRITE_FAILED. */
export const writeDurably = async (
  path: string,
  content: Uint8Array | string,
  mode = 0o644,
): Promise<void> => {
  const temporary = `${path}.${process.pid}.partial`
  try {
    const file = await open(temporary, 'w', mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw toFailure(path, cause)
  }
}

/** Makes a rename inside the folder durable. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const toFailure = (path: string, cause: unknown): Failure => {
  const full =
    cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')
  return full
    ? new Failure('NO_SPACE', `no space left to write ${path}`, {
        cause,
        retryable: true,
        hint: 'free disk space; the old content is still in place',
      })
    : new Failure('WRITE_FAILED', `could not write ${path}`, {
        cause,
        hint: 'check that the folder exists and is writable',
      })
}
