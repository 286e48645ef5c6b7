/**
 * Artifacts as files: `artifacts/ab/<sha256>`, read-only once they are there. A file gets its name only after its
 * content is on disk, so a name that exists means a whole file; whether it is still the same is checked by `get`.
 */

import { randomUUID } from 'node:crypto'
import { chmod, copyFile, mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sha256, sha256File, syncFolder } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import type { ArtifactStore } from './artifacts.ts'

/** Creates `folder` and throws away what an interrupted write left behind. */
export const createArtifactStore = async (folder: string): Promise<ArtifactStore> => {
  const incoming = join(folder, 'incoming')
  await rm(incoming, { recursive: true, force: true })
  await mkdir(incoming, { recursive: true })

  const pathOf = (digest: string): string => join(folder, digest.slice(0, 2), digest)
  const newIncoming = (): string => join(incoming, randomUUID())

  /** Gives a file inside `incoming` its final name; one that is there already, and intact, is kept. */
  const settle = async (temporary: string) => {
    const stored = await sha256File(temporary)
    const target = pathOf(stored.sha256)
    if (await isIntact(target, stored.sha256)) {
      await rm(temporary, { force: true })
      // It is wanted again: what takes out the old ones leaves it.
      const now = new Date()
      await utimes(target, now, now)
      return stored
    }
    await chmod(temporary, 0o444)
    await sync(temporary)
    await mkdir(dirname(target), { recursive: true })
    await rename(temporary, target)
    await syncFolder(dirname(target))
    await syncFolder(folder)
    return stored
  }

  const storing = async (fill: (temporary: string) => Promise<void>) => {
    const temporary = newIncoming()
    try {
      await fill(temporary)
      return await settle(temporary)
    } catch (cause) {
      await rm(temporary, { force: true })
      throw toFailure(cause)
    }
  }

  return {
    adopt: (path) => storing((temporary) => move(path, temporary)),
    put: (content) => storing((temporary) => writeFile(temporary, content)),
    path: async (digest) => ((await sizeOf(digest, pathOf)) === undefined ? undefined : pathOf(digest)),
    get: async (digest) => {
      if ((await sizeOf(digest, pathOf)) === undefined) {
        throw new Failure('ARTIFACT_MISSING', `artifact ${digest} is not in the store`, {
          hint: 'restore the artifacts folder from the backup that belongs to registry.db',
        })
      }
      const content = await readFile(pathOf(digest))
      if (sha256(content) !== digest) {
        throw new Failure(
          'ARTIFACT_CHANGED',
          `artifact ${digest} no longer has the content it was stored with`,
          {
            hint: 'the file was changed or the disk is failing; nothing is served from it',
          },
        )
      }
      return content
    },
    range: async (digest, offset, length) => {
      const total = await sizeOf(digest, pathOf)
      if (total === undefined) return undefined
      const file = await open(pathOf(digest), 'r')
      try {
        const buffer = new Uint8Array(Math.max(0, Math.min(length, total - offset)))
        const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, offset)
        return { bytes: buffer.subarray(0, bytesRead), total }
      } finally {
        await file.close()
      }
    },
  }
}

/** Size of the stored file; undefined where there is none or the name is no digest (and might be a path). */
const sizeOf = async (digest: string, pathOf: (digest: string) => string): Promise<number | undefined> => {
  if (!/^[0-9a-f]{64}$/.test(digest)) return undefined
  return (await stat(pathOf(digest)).catch(() => undefined))?.size
}

const isIntact = async (path: string, digest: string): Promise<boolean> =>
  sha256File(path).then(
    (found) => found.sha256 === digest,
    () => false,
  )

const move = async (from: string, to: string): Promise<void> => {
  try {
    await rename(from, to)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EXDEV')) throw cause
    await copyFile(from, to)
    await rm(from)
  }
}

const sync = async (path: string): Promise<void> => {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

const toFailure = (cause: unknown): Failure => {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Failure('NO_SPACE', 'no space left in the artifact store', {
      cause,
      retryable: true,
      hint: 'free disk space; nothing that was stored before is affected',
    })
  }
  return new Failure('STORE_FAILED', 'the artifact could not be stored', {
    cause,
    hint: 'check that the artifacts folder is writable',
  })
}
