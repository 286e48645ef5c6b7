/** What following a file needs of a disk. Between any two calls files may be renamed, deleted, emptied and begun. */

import type { FilePlace, Sibling } from './follow-plan.ts'

/** An opened file: whatever its name becomes, it stays this one. */
export interface GrowingFile {
  readonly inode: string
  /** 0 bytes at the end. They are valid until the next read. */
  readonly read: (offset: number) => Promise<Uint8Array>
  /** The beginning of a file that begins with these bytes. */
  readonly headOf: (bytes: Uint8Array) => FilePlace['head']
  /** The beginning as far as `upTo`; undefined where the file is shorter, or does not begin with `known` any more. */
  readonly extendHead: (
    known: FilePlace['head'] | undefined,
    upTo: number,
  ) => Promise<FilePlace['head'] | undefined>
  readonly status: () => Promise<{ readonly size: number; readonly modifiedAt: number }>
  /** The first line, once it is there whole. */
  readonly firstLine: () => Promise<string | undefined>
  readonly close: () => Promise<void>
}

export interface FollowedFolder {
  /** The files that bear the name, oldest first; undefined where they are renamed faster than one can look. */
  readonly siblings: () => Promise<readonly Sibling[] | undefined>
  /** undefined where there is no such file (any more). */
  readonly open: (path: string) => Promise<GrowingFile | undefined>
  /** What bears the name itself now. */
  readonly active: () => Promise<{ readonly inode: string; readonly size: number } | undefined>
}
