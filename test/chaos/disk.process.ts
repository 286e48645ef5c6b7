/**
 * Small disks that can be full. Where this process may mount, each is a file system of its own (tmpfs). Where it may not,
 * the kernel refuses the processes of a disk to make any file longer (RLIMIT_FSIZE): they see EFBIG instead of ENOSPC.
 */

import { execFile } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Disk {
  readonly kind: 'tmpfs' | 'rlimit'
  /** `pids`: who writes there now; whoever is started later is not held where nothing could be mounted. */
  readonly fill: (pids: readonly number[]) => Promise<void>
  readonly free: (pids: readonly number[]) => Promise<void>
  /** What was on it is gone with it where it was mounted. */
  readonly remove: () => Promise<void>
}

const mebibyte = 1_048_576

/** At a folder, which is made; it goes with the mount namespace of this process. */
export const createDisk = async (folder: string, mebibytes: number, mayMount: boolean): Promise<Disk> => {
  await mkdir(folder, { recursive: true })
  if (!mayMount)
    return { kind: 'rlimit', fill: limit('65536:'), free: limit('unlimited:'), remove: async () => undefined }
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'imlma-chaos', folder])
  const filler = `${folder}/filler`
  return {
    kind: 'tmpfs',
    fill: async () => {
      const file = await open(filler, 'w')
      try {
        // The last ones smaller and smaller, until not one page is free.
        for (let size = mebibyte, written = 0; size >= 4_096 && written < mebibytes;) {
          try {
            await file.writeFile(Buffer.alloc(size))
            written += size / mebibyte
          } catch (cause) {
            if ((cause as { code?: string }).code !== 'ENOSPC') throw cause
            size /= 4
          }
        }
      } finally {
        await file.close()
      }
    },
    free: () => rm(filler, { force: true }),
    remove: async () => {
      await run('umount', ['--lazy', folder])
    },
  }
}

const limit =
  (bytes: string) =>
  async (pids: readonly number[]): Promise<void> => {
    for (const pid of pids) {
      // Who has ended meanwhile needs no limit.
      await run('prlimit', ['--pid', String(pid), `--fsize=${bytes}`]).catch(() => undefined)
    }
  }
