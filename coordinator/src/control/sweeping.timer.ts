/** Looks once a day, and at every start, for artifacts that nobody speaks of any more. */

import type { Log } from '../log.pino.ts'
import { readReferences } from '../storage/references.kysely.ts'
import { sweepArtifacts } from '../storage/sweep.fs.ts'
import { every } from './every.timer.ts'

const dayMs = 86_400_000

/**
 * Age from which a file that nobody names is rubbish. What is stored is named within minutes; a month leaves people time
 * to look at what was refused, and to bring back a registry that was restored from too old a backup.
 */
const keptMs = 30 * dayMs

interface SweepingParts {
  readonly db: Parameters<typeof readReferences>[0]
  readonly log: Pick<Log, 'info'>
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

/** `folder`: of the artifact store. The returned function ends it. */
export const keepSwept = (
  { db, log, now, onFailure }: SweepingParts,
  { folder }: { readonly folder: string },
): (() => Promise<void>) =>
  every(
    dayMs,
    async () => {
      const before = now() - keptMs
      const swept = await sweepArtifacts({ folder, before, references: () => readReferences(db) })
      if (swept.files > 0) log.info(swept, 'artifacts that nothing refers to were removed')
    },
    onFailure,
  )
