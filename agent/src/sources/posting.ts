/** Readings from whoever is on this machine: when the call returns they are on disk. */

import { accept, type Result } from '@imlma/protocol/result'
import { countReadings } from '../outbox/batches.ts'
import { parsePosted, type PostedDefaults, type PostedRefusal } from './posted-readings.ts'
import { simulatedDefaults } from './simulated.ts'
import type { ReadingSink } from './source.ts'

/** Stores what a posted document holds. `historical` says that the readings are older than live ones. */
export type Posting = (
  document: unknown,
  options: { readonly historical: boolean },
) => Result<number, PostedRefusal>

/** Gives the number of readings that were stored; throws what the sink throws, NO_SPACE and STORE_FAILED. */
export const createPosting =
  (sink: Pick<ReadingSink, 'append'>, defaults: PostedDefaults = simulatedDefaults): Posting =>
  (document, { historical }) => {
    const posted = parsePosted(document, defaults)
    if (!posted.ok) return posted
    sink.append(posted.value, { historical })
    return accept(countReadings(posted.value))
  }
