/** The files behind `follow.fs.ts`: one opened, its beginning known, and those that bear the same name. */

import { createHash } from 'node:crypto'
import { open, readdir, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { inOrder, isSibling, type FilePlace, type Sibling } from './follow-plan.ts'
import type { FollowedFolder, GrowingFile } from './followed-folder.ts'

/** Beginning by which a file is known: more than a header of columns, so that two files of a day differ. */
const headBytesMax = 1_024

const chunkBytes = 131_072
const headerBytesMax = 65_536

const openGrowing = async (path: string): Promise<GrowingFile | undefined> => {
  const file = await orAbsent(open(path))
  if (file === undefined) return undefined
  const { ino } = await file.stat({ bigint: true })
  const chunk = Buffer.alloc(chunkBytes)
  return {
    inode: String(ino),
    read: (offset) => readAt(file, chunk, offset),
    headOf,
    extendHead: async (known, upTo) => {
      const wanted = Math.min(upTo, headBytesMax)
      const bytes = await readAt(file, Buffer.alloc(wanted), 0)
      if (bytes.length < wanted) return undefined
      const isKnown = known === undefined || headOf(bytes.subarray(0, known.bytes)).sha256 === known.sha256
      return isKnown ? headOf(bytes) : undefined
    },
    status: async () => {
      const { size, mtimeNs } = await file.stat({ bigint: true })
      return { size: Number(size), modifiedAt: Number(mtimeNs) / 1e6 }
    },
    firstLine: async () => {
      const text = (await readAt(file, Buffer.alloc(headerBytesMax), 0)).toString('utf8')
      const end = text.indexOf('\n')
      return end < 0 ? undefined : text.slice(0, end).replace(/\r$/, '')
    },
    close: () => file.close(),
  }
}

const headOf = (bytes: Uint8Array): FilePlace['head'] => {
  const head = bytes.subarray(0, headBytesMax)
  return { bytes: head.length, sha256: createHash('sha256').update(head).digest('hex') }
}

const readAt = async (file: FileHandle, into: Buffer, offset: number): Promise<Buffer> => {
  const { bytesRead } = await file.read(into, 0, into.length, offset)
  return into.subarray(0, bytesRead)
}

/** Looks at a folder that changes while one looks; more would be a folder that never rests. */
const looksMax = 10

export const createFollowedFolder = (path: string): FollowedFolder => ({
  /** Two looks that agree: a file that is renamed during one would be under neither of its names. */
  siblings: async () => {
    const namesOf = (all: readonly Sibling[]): string =>
      JSON.stringify(all.map((each) => [each.path, each.inode]))
    let before = await lookAround(path)
    for (let look = 1; look < looksMax; look++) {
      const after = await lookAround(path)
      if (namesOf(after) === namesOf(before)) return inOrder(after, path)
      before = after
    }
    return undefined
  },
  open: openGrowing,
  active: async () => {
    const found = await orAbsent(stat(path, { bigint: true }))
    return found && { inode: String(found.ino), size: Number(found.size) }
  },
})

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
      modifiedAt: Number(found.mtimeNs) / 1e6,
    })
  }
  return siblings
}

const orAbsent = async <Value>(work: Promise<Value>): Promise<Value | undefined> => {
  try {
    return await work
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}
