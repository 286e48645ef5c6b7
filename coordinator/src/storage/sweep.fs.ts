/**
 * Takes out of the artifact store what nobody speaks of any more: files that were registered and refused, what a kill
 * left between a file and its fact. What an event or a state names stays for ever, and so does everything young: it may
 * be named in a moment.
 */

import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface SweepOptions {
  readonly folder: string
  /** Read after the old files were found: what was named meanwhile is among them. */
  readonly references: () => Promise<ReadonlySet<string>>
  /** UTC epoch ms: files that were stored, or stored again, since then are not looked at. */
  readonly before: number
}

/** What was removed. */
export interface Swept {
  readonly files: number
  readonly bytes: number
}

export const sweepArtifacts = async ({ folder, references, before }: SweepOptions): Promise<Swept> => {
  const old: string[] = []
  for (const part of (await readdir(folder)).filter((name) => /^[0-9a-f]{2}$/.test(name)))
    for (const name of await readdir(join(folder, part)))
      if (/^[0-9a-f]{64}$/.test(name) && (await ageOf(folder, name)).storedAt < before) old.push(name)
  let [files, bytes] = [0, 0]
  if (old.length === 0) return { files, bytes }
  const named = await references()
  // A registry without a past (a lost database) says nothing about these files: they may be all there is to restore.
  if (named.size === 0) return { files, bytes }
  for (const name of old.filter((one) => !named.has(one))) {
    const { storedAt, size } = await ageOf(folder, name)
    if (storedAt >= before) continue
    await rm(pathOf(folder, name))
    files += 1
    bytes += size
  }
  return { files, bytes }
}

const pathOf = (folder: string, name: string): string => join(folder, name.slice(0, 2), name)

const ageOf = async (folder: string, name: string): Promise<{ storedAt: number; size: number }> => {
  const { mtimeMs, size } = await stat(pathOf(folder, name))
  return { storedAt: mtimeMs, size }
}
