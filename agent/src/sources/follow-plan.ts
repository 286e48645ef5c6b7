/**
 * Where reading a followed file goes on: in which of the files that bear its name, and at which byte.
 *
 *   meters.csv.2 (oldest) → meters.csv.1 → meters.csv (grows)
 *
 * A file is known by its beginning and its inode: rotation renames it, truncation and a reused inode change the
 * beginning. Whoever was away reads the rest of the file that he knew and everything younger, oldest first.
 */

import { z } from 'zod'

const placeSchema = z.object({
  inode: z.string(),
  /** Digest of the first bytes, as far as they were read, and how many these were. */
  head: z.object({ bytes: z.int().min(0), sha256: z.string() }),
  /** Byte after the last line that was read. */
  offset: z.int().min(0),
  /** When the file was written last: what is younger is known by it where the file is deleted. */
  modifiedAt: z.number().optional(),
})
export type FilePlace = z.infer<typeof placeSchema>

export const parsePlace = (written: unknown): FilePlace | undefined => placeSchema.safeParse(written).data

/** A file that bears the name, or the name and a suffix. */
export interface Sibling {
  readonly path: string
  readonly inode: string
  readonly size: number
  readonly modifiedAt: number
}

/**
 * Rotated ones from the oldest on, the one that grows last. Names go before times: a gateway's clock is set back now and
 * then, and a file that would seem the youngest by it would be read again.
 */
export const inOrder = (siblings: readonly Sibling[], active: string): readonly Sibling[] =>
  siblings.toSorted(
    (a, b) =>
      Number(a.path === active) - Number(b.path === active) ||
      byRotation(a.path, b.path) ||
      a.modifiedAt - b.modifiedAt ||
      a.path.localeCompare(b.path),
  )

/** `.2` is older than `.1`; 0 where names do not tell. */
const byRotation = (a: string, b: string): number => {
  const [first, second] = [rotationOf(a), rotationOf(b)]
  return first === undefined || second === undefined ? 0 : second - first
}

const rotationOf = (path: string): number | undefined => {
  const digits = /\.(\d{1,4})$/.exec(path)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** What can be read as text among the files of a folder that a rotation leaves. */
export const isSibling = (name: string, active: string): boolean =>
  name === active ||
  (name.startsWith(`${active}.`) && !/(?:\.(?:gz|xz|bz2|zst|zip|tmp|swp|bak|orig)|~)$/.test(name)) ||
  // As logrotate's `dateext` names it.
  (name.startsWith(`${active}-`) && /^[\d-]+$/.test(name.slice(active.length + 1))) ||
  isDated(name, active)

/** `meters-20260101.csv` of `meters.csv`, as `dateext` with `extension` names it. */
const isDated = (name: string, active: string): boolean => {
  const dot = active.lastIndexOf('.')
  if (dot <= 0) return false
  const [stem, extension] = [active.slice(0, dot), active.slice(dot)]
  return (
    name.startsWith(`${stem}-`) &&
    name.endsWith(extension) &&
    /^[\d-]+$/.test(name.slice(stem.length + 1, -extension.length))
  )
}
