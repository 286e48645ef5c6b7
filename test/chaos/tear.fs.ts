/**
 * What a power cut leaves of the last write: a part of it, or something else in its place. Only what no sync has promised is
 * torn, in files of a process that is dead: bytes behind the last commit of a write-ahead log, files under a temporary name,
 * and pieces of a download.
 */

import { open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { between, type Random } from './random.ts'

/** Of the files whose name matches; returns every torn one, for the log of a run. */
export const tearLastWrites = async (
  folder: string,
  random: Random,
  which = /^/,
): Promise<readonly string[]> => {
  const torn: string[] = []
  for (const name of (await readdir(folder)).filter((each) => which.test(each))) {
    const path = join(folder, name)
    if (!(await stat(path)).isFile()) continue
    if (name.endsWith('.db-wal')) await tearLog(path, random)
    else if (name.endsWith('.partial')) await garbleTail(path, random)
    else if (name.endsWith('.json')) await writeFile(`${path}.99999.partial`, garbage(random, 100))
    else continue
    torn.push(name)
  }
  return torn
}

/** Half of the bytes: what a cheap flash disk leaves of a file that nobody was writing. */
export const damage = async (path: string): Promise<void> => truncate(path, (await stat(path)).size >> 1)

const garbage = (random: Random, bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, () => between(random, 0, 256)))

const garbleTail = async (path: string, random: Random): Promise<void> => {
  const { size } = await stat(path)
  await truncate(path, between(random, size >> 1, size + 1))
  const file = await open(path, 'a')
  await file.appendFile(garbage(random, between(random, 0, 50)))
  await file.close()
}

const headerBytes = 32
const frameHeaderBytes = 24

/**
 * A frame behind the last commit that begins as one does and does not end so (SQLite, "WAL Frames": it counts only with its
 * checksum, and only up to a frame that commits).
 */
const tearLog = async (path: string, random: Random): Promise<void> => {
  const log = await readFile(path)
  if (log.length < headerBytes) return
  const frameBytes = frameHeaderBytes + log.readUInt32BE(8)
  const salts = log.subarray(16, 24)
  let end = headerBytes
  for (let at = headerBytes; at + frameBytes <= log.length; at += frameBytes) {
    if (!log.subarray(at + 8, at + 16).equals(salts)) break
    if (log.readUInt32BE(at + 4) > 0) end = at + frameBytes
  }
  const frame = garbage(random, between(random, 8, frameBytes))
  frame.writeUInt32BE(2, 0)
  frame.writeUInt32BE(1, 4)
  salts.copy(frame, 8)
  const file = await open(path, 'r+')
  await file.write(frame, 0, frame.length, end)
  await file.close()
}
