/** The followed trust roots as a JSON file. It needs no protection: every link is verified again when it is read. */

import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { writeDurably } from '@imlma/protocol/node'
import { envelopeSchema } from '@imlma/protocol/trust'
import type { RootsFile } from './roots.ts'

const fileSchema = z.array(envelopeSchema)

/** What cannot be read is no root: the agent starts from the one it was given and follows the chain again. */
export const openRoots = async (path: string): Promise<RootsFile> => {
  await mkdir(dirname(path), { recursive: true })
  return {
    read: async () => {
      try {
        const parsed = fileSchema.safeParse(JSON.parse(await readFile(path, 'utf8')))
        return parsed.success ? parsed.data : []
      } catch {
        return []
      }
    },
    write: (envelopes) => writeDurably(path, JSON.stringify(envelopes)),
  }
}
