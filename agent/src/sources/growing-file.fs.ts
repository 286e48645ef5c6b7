/** The files behind `follow.fs.ts`: one opened, its beginning known, and those that bear the same name. */

import { createHash } from 'node:crypto'
import { open, readdir, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isSibling, type FilePlace, type Sibling } from './follow-plan.ts'

export interface GrowingFile {
  readonly path: string
  readonly inode: string
  /** 0 at the end. The bytes are valid until the next read. */
  readonly read: (offset: number) => Promise<Uint8Array>
  readonly head: (upTo: number) => Promise<FilePlace['head']>
  readonly isHead: (head: FilePlace['head']) => Promise<boolean>
  readonly size: () => Promise<number>
  /** The first line, once it is there whole. */
  readonly firstLine: () => Promise<string | undefined>
  readonly close: () => Promise<void>
}

/** Beginning by which a file is known: more than a header of columns, so that two files of a day differ. */
const headBytesMax = 1_024

const chunkBytes = 131_072
const headerBytesMax = 65_536

/** undefined where there is no such file (yet). */
export const openGrowing = async (path: string): Promise<GrowingFile | undefined> => {
  const file = await orAbsent(open(path))
  if (file === undefined) return undefined
  const { ino } = await file.stat({ bigint: true })
  const chunk = Buffer.alloc(chunkBytes)
  const head = async (upTo: number): Promise<FilePlace['head']> => {
    const bytes = await readAt(file, Buffer.alloc(Math.min(upTo, headBytesMax)), 0)
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  }
  return {
    path,
    inode: String(ino),
    read: (offset) => readAt(file, chunk, offset),
    head,
    isHead: async (known) => (await head(known.bytes)).sha256 === known.sha256,
    size: async () => (await file.stat()).size,
    firstLine: async () => {
      const text = (await readAt(file, Buffer.alloc(headerBytesMax), 0)).toString('utf8')
      const end = text.indexOf('\n')
      return end < 0 ? undefined : text.slice(0, end).replace(/\r$/, '')
    },
    close: () => file.close(),
  }
}

const readAt = async (file: FileHandle, into: Buffer, offset: number): Promise<Buffer> => {
  const { bytesRead } = await file.read(into, 0, into.length, offset)
  return into.subarray(0, bytesRead)
}

/** Looks at a folder that changes while one looks; more would be a folder that never rests. */
const looksMax = 10

/** Two looks that agree: a file that is renamed during one would be under neither of its names. */
export const siblingsOf = async (path: string): Promise<readonly Sibling[]> => {
  const namesOf = (all: readonly Sibling[]): string =>
    JSON.stringify(all.map((each) => [each.path, each.inode]))
  let before = await lookAround(path)
  for (let look = 1; look < looksMax; look++) {
    const after = await lookAround(path)
    if (namesOf(after) === namesOf(before)) return after
    before = after
  }
  return before
}

const lookAround = async (path: string): Promise<readonly Sibling[]> => {
  const [folder, active] = [dirname(path), basename(path)]
  const names = (await orAbsent(readdir(folder))) ?? []
  const siblings: Sibling[] = []
  for (const name of names.filter((each) => isSibling(each, active))) {
    const found = await orAbsent(stat(join(folder, name), { bigint: true }))
    if (found?.isFile() !== true) continue
    siblings.push({
      path: name === active ? path : join(folder, name),
      inode: String(found.ino),
      size: Number(found.size),
      modifiedAt: Number(found.mtimeMs),
    })
  }
  return siblings
}

/** undefined where no file bears the name now. */
export const inodeOf = async (path: string): Promise<string | undefined> => {
  const found = await orAbsent(stat(path, { bigint: true }))
  return found && String(found.ino)
}

const orAbsent = async <Value>(work: Promise<Value>): Promise<Value | undefined> => {
  try {
    return await work
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}
