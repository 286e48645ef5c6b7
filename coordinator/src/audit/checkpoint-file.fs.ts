/** The signed places of the registry's chain, one envelope a line, beside the database: copy it off the machine. */

import { open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { parseEnvelope, type Envelope } from '@imlma/protocol/trust'

export interface CheckpointFile {
  /** Durable on return. Throws `Failure` WRITE_FAILED. */
  readonly append: (envelope: Envelope) => Promise<void>
}

export const createCheckpointFile = (path: string): CheckpointFile => ({
  append: async (envelope) => {
    try {
      const file = await open(path, 'a')
      try {
        await file.appendFile(`${JSON.stringify(envelope)}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await syncFolder(dirname(path))
    } catch (cause) {
      throw new Failure('WRITE_FAILED', `could not write ${path}`, {
        cause,
        retryable: true,
        hint: 'free disk space; the next checkpoint covers what this one would have',
      })
    }
  },
})

/** Oldest first; empty where there is no file. A line of a power cut, and what somebody wrote into it, is undefined. */
export const readCheckpoints = async (path: string): Promise<readonly (Envelope | undefined)[]> => {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return ''
    throw cause
  })
  // What stands behind the last line break was being written.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const parsed = parseEnvelope(new TextEncoder().encode(line))
      return parsed.ok ? parsed.value : undefined
    })
}
