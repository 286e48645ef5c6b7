/** The model store in one folder. Everything that appears under a final name was complete and on disk before. */

import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '@imlma/protocol/limits'
import { sha256File, syncFolder, writeDurably } from '@imlma/protocol/node'
import { accept, Failure, refuse } from '@imlma/protocol/result'
import { parseEnvelope } from '@imlma/protocol/trust'
import type { ModelStore, PartialFile } from './store.ts'

export interface StoreOptions {
  readonly folder: string
  /** Largest artifact taken, in bytes. */
  readonly artifactBytesMax?: number
  /** Bytes of all files here together: what is needed and would not fit is not fetched. */
  readonly bytesMax?: number
  /** Bytes that stay free on the file system: the outbox and the state must always find room. */
  readonly reserveBytes?: number
  /** Versions kept beside the needed ones, and their bytes together: a way further back than `previous`. */
  readonly othersMax?: number
  readonly otherBytesMax?: number
}

const digestPattern = /^([0-9a-f]{64})\./
const suffixes = {
  artifact: '.onnx',
  manifest: '.manifest.json',
  partial: '.partial',
  mark: '.quarantined',
  damaged: '.damaged',
} as const

export const openStore = async (options: StoreOptions): Promise<ModelStore> => {
  const { folder, artifactBytesMax = limits.artifactBytesMax, reserveBytes = 16_777_216 } = options
  const { othersMax = 4, otherBytesMax = 134_217_728, bytesMax = Infinity } = options
  await mkdir(folder, { recursive: true })
  const pathOf = (sha256: string, kind: keyof typeof suffixes): string =>
    join(folder, `${sha256}${suffixes[kind]}`)

  const listed = async (kind: keyof typeof suffixes): Promise<readonly string[]> =>
    (await readdir(folder)).flatMap((name) => {
      const sha256 = digestPattern.exec(name)?.[1]
      return sha256 !== undefined && name === `${sha256}${suffixes[kind]}` ? [sha256] : []
    })

  const remove = async (sha256: string, ...kinds: readonly (keyof typeof suffixes)[]): Promise<void> => {
    for (const kind of kinds) await rm(pathOf(sha256, kind), { force: true })
  }

  const verify: ModelStore['verify'] = async (sha256) => {
    const path = pathOf(sha256, 'artifact')
    const actual = await hashOf(path)
    if (actual === undefined) return refuse('NOT_ON_DISK', 'there is no artifact with this digest')
    if (actual === sha256) return accept(path)
    return refuse('DIGEST_MISMATCH', `the file on disk has the digest ${actual}`)
  }

  /** Needed files never count; of the others the latest stay, as far as the bounds go. */
  const prune: ModelStore['prune'] = async (needed, keep = 'latest') => {
    const others: { sha256: string; bytes: number; changedAt: number }[] = []
    for (const sha256 of await listed('artifact')) {
      if (needed.includes(sha256)) continue
      const { size, mtimeMs } = await stat(pathOf(sha256, 'artifact'))
      others.push({ sha256, bytes: size, changedAt: mtimeMs })
    }
    others.sort((a, b) => b.changedAt - a.changedAt)
    let bytes = 0
    const kept = new Set(needed)
    for (const other of others.slice(0, keep === 'latest' ? othersMax : 0)) {
      bytes += other.bytes
      if (bytes > otherBytesMax) break
      kept.add(other.sha256)
    }
    for (const { sha256 } of others) if (!kept.has(sha256)) await remove(sha256, 'artifact')
    for (const sha256 of await listed('manifest')) if (!kept.has(sha256)) await remove(sha256, 'manifest')
    for (const sha256 of await listed('partial'))
      if (!needed.includes(sha256)) await remove(sha256, 'partial')
    const marks = await listed('mark')
    for (const sha256 of marks.slice(0, Math.max(0, marks.length - 256))) await remove(sha256, 'mark')
  }

  /** Why so many bytes more are too many; undefined where they are not. */
  const refuseForSpace = async (missing: number): Promise<string | undefined> => {
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize - reserveBytes < missing) {
      return `${missing} bytes more do not fit beside the ${reserveBytes} that stay free`
    }
    const sizes = await Promise.all(
      (await readdir(folder)).map((name) => stat(join(folder, name)).catch(absent)),
    )
    const held = sizes.reduce((sum, file) => sum + (file?.size ?? 0), 0)
    if (held + missing <= bytesMax) return undefined
    return `${missing} bytes more do not fit beside ${held}: models have ${bytesMax}`
  }

  return {
    verify,
    prune,
    saveManifest: (sha256, envelope) => writeDurably(pathOf(sha256, 'manifest'), JSON.stringify(envelope)),
    manifest: async (sha256) => {
      const bytes = await readFile(pathOf(sha256, 'manifest')).catch(absent)
      const parsed = bytes === undefined ? undefined : parseEnvelope(bytes)
      return parsed?.ok === true ? parsed.value : undefined
    },
    digests: () => listed('manifest'),
    quarantined: () => listed('mark'),
    has: async (sha256) => (await stat(pathOf(sha256, 'artifact')).catch(absent)) !== undefined,
    openPartial: async (sha256, bytes) => {
      if (bytes > artifactBytesMax) {
        return refuse('TOO_LARGE', `${bytes} bytes, at most ${artifactBytesMax} are taken`)
      }
      const file = await openPartialFile(pathOf(sha256, 'partial'))
      const missing = bytes - file.bytes()
      const refusal = await refuseForSpace(missing)
      if (refusal === undefined) return accept(file)
      await file.close()
      return refuse('NO_SPACE', refusal)
    },
    admit: async (sha256) => {
      const partial = pathOf(sha256, 'partial')
      const actual = await hashOf(partial)
      if (actual === undefined) return verify(sha256)
      if (actual !== sha256) {
        await remove(sha256, 'partial')
        return refuse('BAD_DIGEST', `what was fetched has the digest ${actual}`)
      }
      await rename(partial, pathOf(sha256, 'artifact'))
      await syncFolder(folder)
      return accept(pathOf(sha256, 'artifact'))
    },
    setAside: async (sha256, what) => {
      for (const other of await listed('damaged')) await remove(other, 'damaged')
      await rename(pathOf(sha256, what), pathOf(sha256, 'damaged')).catch(absent)
      await syncFolder(folder)
    },
    discard: async (sha256) => {
      await remove(sha256, 'artifact', 'manifest', 'partial')
      await syncFolder(folder)
    },
    quarantine: async (sha256) => {
      await writeFile(pathOf(sha256, 'mark'), '')
      await remove(sha256, 'artifact', 'manifest', 'partial')
      await syncFolder(folder)
    },
  }
}

const openPartialFile = async (path: string): Promise<PartialFile> => {
  const file = await open(path, 'a')
  let { size } = await file.stat()
  return {
    bytes: () => size,
    append: async (chunk) => {
      try {
        await file.appendFile(chunk)
      } catch (cause) {
        const isFull = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC'
        throw new Failure(isFull ? 'NO_SPACE' : 'WRITE_FAILED', 'an artifact could not be written', { cause })
      }
      size += chunk.byteLength
    },
    empty: async () => {
      await file.truncate(0)
      size = 0
    },
    close: async () => {
      await file.sync()
      await file.close()
    },
  }
}

const hashOf = async (path: string): Promise<string | undefined> =>
  (await sha256File(path).catch(absent))?.sha256

/** A file that is not there is an answer; any other failure is one. */
const absent = (cause: unknown): undefined => {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
  throw cause
}
