/**
 * Reads the whole artifact store again, slowly, and holds every file against its name: models, datasets and envelopes that
 * a failing disk or somebody's hand has changed are found before they are needed. One that was changed is moved aside, so
 * that nothing is ever made of it; what serves in the field already has its own copy.
 */

import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { syncFolder } from '@imlma/protocol/node'

export interface ScrubOptions {
  /** Of the artifact store. */
  readonly folder: string
  /** Bytes read a second: a fraction of what a disk gives, so that nobody waits for it. */
  readonly bytesPerS?: number
  readonly signal: AbortSignal
}

export interface ChangedArtifact {
  readonly sha256: string
  /** What its content has now. */
  readonly actual: string
  readonly bytes: number
  /** Where it lies from now on. */
  readonly path: string
}

export interface Scrubbed {
  readonly files: number
  readonly bytes: number
}

const chunkBytes = 1_048_576
const setAsideFolder = 'set-aside'

/** Looks at every file once; `onChanged` is told after a changed one was moved aside. Ends early when it is aborted. */
export const scrubArtifacts = async (
  { folder, bytesPerS = 33_554_432, signal }: ScrubOptions,
  onChanged: (changed: ChangedArtifact) => Promise<void>,
): Promise<Scrubbed> => {
  let files = 0
  let bytes = 0
  for (const shelf of await names(folder, /^[0-9a-f]{2}$/)) {
    for (const sha256 of await names(join(folder, shelf), /^[0-9a-f]{64}$/)) {
      if (signal.aborted) return { files, bytes }
      const found = await hashSlowly(join(folder, shelf, sha256), bytesPerS, signal)
      if (found === undefined) continue
      files += 1
      bytes += found.bytes
      if (found.sha256 === sha256) continue
      const path = await setAside(folder, shelf, sha256)
      if (path !== undefined) await onChanged({ sha256, actual: found.sha256, bytes: found.bytes, path })
    }
  }
  return { files, bytes }
}

const names = async (folder: string, pattern: RegExp): Promise<readonly string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => pattern.test(name)).toSorted()

/** Undefined for a file that went meanwhile, and when it was aborted. */
const hashSlowly = async (
  path: string,
  bytesPerS: number,
  signal: AbortSignal,
): Promise<{ readonly sha256: string; readonly bytes: number } | undefined> => {
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const hash = createHash('sha256')
    const buffer = new Uint8Array(chunkBytes)
    let bytes = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes)
      if (bytesRead === 0) return { sha256: hash.digest('hex'), bytes }
      hash.update(buffer.subarray(0, bytesRead))
      bytes += bytesRead
      await pause((bytesRead / bytesPerS) * 1_000, undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return undefined
    }
  } finally {
    await file.close()
  }
}

/** The same content, stored again, takes the place that is free now. */
const setAside = async (folder: string, shelf: string, sha256: string): Promise<string | undefined> => {
  const aside = join(folder, setAsideFolder)
  await mkdir(aside, { recursive: true })
  const path = join(aside, sha256)
  try {
    await rename(join(folder, shelf, sha256), path)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  }
  await syncFolder(join(folder, shelf))
  await syncFolder(aside)
  return path
}
