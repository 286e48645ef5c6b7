/** The one answer to a history that is not what was written. */

import { Failure } from '@imlma/protocol/result'

export const chainBrokenHint =
  'keep registry.db and registry.head.json for analysis and restore both from the same backup'

export const chainBroken = (message: string, cause?: unknown): Failure =>
  new Failure('CHAIN_BROKEN', message, { cause, hint: chainBrokenHint })
