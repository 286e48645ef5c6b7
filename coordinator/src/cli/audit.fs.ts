/** The chain of events, recomputed from the data directory alone: also where the control centre is stopped. */

import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import type { ChainView } from '../api/views.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { verifyRegistry } from '../registry/verify.kysely.ts'
import { openDatabase } from '../storage/database.sqlite.ts'

/** A control centre that writes while the chain is read looks like a fault; a real one is still there the next time. */
const looksMax = 3

/** Throws `Failure` NO_REGISTRY, and those of the database and of the head file. */
export const verifyLocally = async (dataDir: string): Promise<ChainView> => {
  const path = join(dataDir, 'registry.db')
  // Opening would make an empty one, which is always intact.
  await access(path).catch((cause: unknown) => {
    throw new Failure('NO_REGISTRY', `there is no registry.db in ${dataDir}`, {
      cause,
      hint: 'name the data directory with --data-dir, or ask a control centre with --url',
    })
  })
  const db = openDatabase(path)
  const head = createHeadFile(join(dataDir, 'registry.head.json'))
  try {
    for (let look = 1; ; look += 1) {
      const verified = await verifyRegistry(db, await head.read())
      if (verified.ok) return { intact: true, ...verified.value, fault: null }
      if (look === looksMax) {
        const { code, message } = verified.refusal
        return { intact: false, events: 0, headHash: null, fault: { code, message } }
      }
    }
  } finally {
    await db.destroy()
  }
}
