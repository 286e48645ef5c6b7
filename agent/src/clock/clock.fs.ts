/** The proven time as a small JSON file. */

import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeDurably } from '@imlma/protocol/node'
import { nothingProven, provenTimeSchema, type ProvenTime } from './proven-time.ts'

export interface ClockFile {
  /** What cannot be read has proven nothing: the next signed message proves it again. */
  readonly read: () => Promise<ProvenTime>
  /** Throws `Failure` NO_SPACE, WRITE_FAILED. */
  readonly write: (proven: ProvenTime) => Promise<void>
}

export const openClockFile = async (path: string): Promise<ClockFile> => {
  await mkdir(dirname(path), { recursive: true })
  return {
    read: async () => {
      try {
        return provenTimeSchema.parse(JSON.parse(await readFile(path, 'utf8')))
      } catch {
        return nothingProven
      }
    },
    write: (proven) => writeDurably(path, JSON.stringify(proven)),
  }
}
