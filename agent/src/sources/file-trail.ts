/**
 * From a place to the file it is in, and from a file to the one begun after it, in a folder that rotates meanwhile.
 *
 * A name may mean another file by the time it is opened. So what is opened is compared with what was seen, and nothing
 * is said to be gone after a look that did not come true: then it is `moving`, and the caller looks again.
 */

import type { FilePlace, Sibling } from './follow-plan.ts'
import type { FollowedFolder, GrowingFile } from './followed-folder.ts'

export type Trail =
  | { readonly kind: 'found' | 'gone'; readonly file: GrowingFile }
  /** No file bears the name. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'moving' }

/**
 * `found`: the file that the place is in, or a copy of it. `gone`: neither is there; the file is the oldest one written
 * after the place was. `other` is an inode that it cannot be: that of a file that was emptied.
 */
export const openPlace = async (folder: FollowedFolder, place: FilePlace, other?: string): Promise<Trail> => {
  const siblings = await folder.siblings()
  if (siblings === undefined) return { kind: 'moving' }
  let found: GrowingFile | undefined
  for (const sibling of siblings) {
    if (sibling.inode === other || sibling.size < place.offset) continue
    const file = await openSame(folder, sibling)
    if (file === undefined) {
      await found?.close()
      return { kind: 'moving' }
    }
    const isNearer =
      found?.inode !== place.inode &&
      // An empty beginning is everybody's.
      (place.head.bytes > 0 || file.inode === place.inode) &&
      (await file.extendHead(place.head, place.head.bytes)) !== undefined
    await (isNearer ? found : file)?.close()
    if (isNearer) found = file
  }
  if (found !== undefined) return { kind: 'found', file: found }
  return open(folder, firstAfter(siblings, place.modifiedAt))
}

/** The file begun after `file`, which was read to its end. `gone`: that one is deleted, and its place in the order. */
export const openNext = async (folder: FollowedFolder, file: GrowingFile): Promise<Trail> => {
  const { modifiedAt } = await file.status()
  const siblings = await folder.siblings()
  if (siblings === undefined) return { kind: 'moving' }
  const index = siblings.findIndex(({ inode }) => inode === file.inode)
  return open(folder, index < 0 ? firstAfter(siblings, modifiedAt) : siblings[index + 1])
}

/** At the same time counts as after: what is read twice changes nothing, what is not read is lost. */
const firstAfter = (siblings: readonly Sibling[], modifiedAt: number | undefined): Sibling | undefined =>
  siblings.find((each) => modifiedAt !== undefined && each.modifiedAt >= modifiedAt) ?? siblings.at(-1)

const open = async (folder: FollowedFolder, sibling: Sibling | undefined): Promise<Trail> => {
  if (sibling === undefined) return { kind: 'absent' }
  const file = await openSame(folder, sibling)
  return file === undefined ? { kind: 'moving' } : { kind: 'gone', file }
}

const openSame = async (
  folder: FollowedFolder,
  { path, inode }: Sibling,
): Promise<GrowingFile | undefined> => {
  const file = await folder.open(path)
  if (file === undefined || file.inode === inode) return file
  await file.close()
  return undefined
}
