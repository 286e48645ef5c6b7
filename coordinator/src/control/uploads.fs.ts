/**
 * Files that were sent and nobody has registered yet: streamed to disk under a byte bound, hashed on the way, and named
 * by their hash only when they are whole and are what the sender meant to send. They wait for their registration for a
 * short while; what is never registered makes room for later ones.
 */

import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '@imlma/protocol/limits'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'

export type UploadRefusal = 'TOO_LARGE' | 'TRUNCATED' | 'HASH_MISMATCH' | 'BUSY'

export interface Uploads {
  /** `sha256`: what the sender says that it is. The same file again is the same file. */
  readonly receive: (
    sha256: string,
    content: AsyncIterable<Uint8Array>,
  ) => Promise<Result<{ readonly bytes: number }, UploadRefusal>>
  /** Path of a file that was received; undefined where there is none. */
  readonly path: (sha256: string) => Promise<string | undefined>
}

export interface UploadOptions {
  readonly folder: string
  readonly bytesMax?: number
  /** Files kept that nobody has registered: a registration follows its file at once. */
  readonly keptMax?: number
  /** Files received at the same time: each may be as large as the largest model. */
  readonly receivingMax?: number
}

/** Throws away what an earlier process has left: its senders have had no answer and send again. */
export const createUploads = async ({
  folder,
  bytesMax = limits.artifactBytesMax,
  keptMax = 4,
  receivingMax = 2,
}: UploadOptions): Promise<Uploads> => {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  let receiving = 0

  const makeRoom = async (newest: string): Promise<void> => {
    const names = (await readdir(folder)).filter((name) => name !== newest && !name.endsWith('.partial'))
    const ages = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })),
    )
    for (const { name } of ages.toSorted((a, b) => b.at - a.at).slice(keptMax - 1))
      await rm(join(folder, name))
  }

  const receive = async (
    sha256: string,
    content: AsyncIterable<Uint8Array>,
  ): Promise<Result<{ readonly bytes: number }, UploadRefusal>> => {
    const temporary = join(folder, `${randomUUID()}.partial`)
    try {
      const written = await write(temporary, content, bytesMax)
      if (!written.ok) return written
      if (written.value.sha256 !== sha256) {
        return refuse(
          'HASH_MISMATCH',
          `what arrived has the SHA-256 ${written.value.sha256}, ${sha256} was announced`,
          'the file was changed while it was sent: send it again',
        )
      }
      await rename(temporary, join(folder, sha256))
      await makeRoom(sha256)
      return accept({ bytes: written.value.bytes })
    } finally {
      await rm(temporary, { force: true })
    }
  }

  return {
    receive: async (sha256, content) => {
      if (receiving >= receivingMax) {
        return refuse('BUSY', `${receiving} files are being received`, 'send it again in a moment')
      }
      receiving += 1
      try {
        return await receive(sha256, content)
      } catch (cause) {
        throw toFailure(cause)
      } finally {
        receiving -= 1
      }
    },
    path: async (sha256) => {
      // A name that is no digest might be a path.
      if (!/^[0-9a-f]{64}$/.test(sha256)) return undefined
      const path = join(folder, sha256)
      return (await stat(path).catch(() => undefined)) === undefined ? undefined : path
    },
  }
}

const write = async (
  path: string,
  content: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<Result<{ sha256: string; bytes: number }, 'TOO_LARGE' | 'TRUNCATED'>> => {
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'wx', 0o600)
  try {
    const parts = content[Symbol.asyncIterator]()
    for (;;) {
      const part = await parts.next().catch(() => undefined)
      if (part === undefined) {
        return refuse('TRUNCATED', `the sender went away after ${bytes} bytes`, 'send the file again')
      }
      if (part.done === true) break
      bytes += part.value.byteLength
      if (bytes > bytesMax) {
        await parts.return?.()
        return refuse('TOO_LARGE', `the file has more than ${bytesMax} bytes`, 'make the model smaller')
      }
      hash.update(part.value)
      await file.writeFile(part.value)
    }
    await file.sync()
    return accept({ sha256: hash.digest('hex'), bytes })
  } finally {
    await file.close()
  }
}

const toFailure = (cause: unknown): Failure => {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new Failure('NO_SPACE', 'no space left to receive a file', {
        cause,
        retryable: true,
        hint: 'free disk space on the machine of the control centre, then send it again',
      })
    : new Failure('WRITE_FAILED', 'the file could not be stored', {
        cause,
        hint: 'check that the uploads folder of the data directory is writable',
      })
}
