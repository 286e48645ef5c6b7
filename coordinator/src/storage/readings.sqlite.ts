/** `readings.db`: the readings in SQLite. One process writes, any number of others on this machine read. */

import { createAcceptance } from './readings-accept.sqlite.ts'
import { attempt, openForReading, openForWriting } from './readings-connection.sqlite.ts'
import { createFolding } from './readings-fold.sqlite.ts'
import { createReading } from './readings-read.sqlite.ts'
import type { ReadingsReader, ReadingsStore } from './readings.ts'
import { createRecentBatches } from './recent-batches.ts'

const dayMs = 86_400_000

export interface ReadingsOptions {
  /** Days that accepted batches are kept as they came; what they say stays in the blocks for ever. */
  readonly retentionDays?: number
}

/** Decoded batches kept until they are folded: what comes in a fifth of a second at 100,000 readings a second. */
const recentBytesMax = 8_388_608

/** The one writer. `path` is a file, or `:memory:` for tests. Throws `Failure` STORE_FAILED, SCHEMA_NEWER. */
export const createReadingsStore = (
  path: string,
  { retentionDays = 30 }: ReadingsOptions = {},
): ReadingsStore => {
  const database = openForWriting(path)
  const recent = createRecentBatches(recentBytesMax)
  const acceptance = createAcceptance(database, recent.remember)
  const foldSome = createFolding(database, { retentionMs: retentionDays * dayMs, recent })

  return {
    ...createReading(database),
    accept: (batches) => {
      try {
        return attempt(path, () => acceptance.accept(batches))
      } catch (error) {
        recent.forget()
        throw error
      }
    },
    quarantine: (batches) => attempt(path, () => acceptance.quarantine(batches)),
    acknowledged: (site, agent) => attempt(path, () => acceptance.acknowledged(site, agent)),
    fold: (limit) => attempt(path, () => foldSome(limit)),
    close: () => database.close(),
  }
}

/**
 * A look at the readings from another process. Throws `Failure` STORE_MISSING (retryable) while the writer has not
 * made the file yet.
 */
export const openReadingsReader = (path: string): ReadingsReader => {
  const database = openForReading(path)
  return { ...createReading(database), close: () => database.close() }
}
