/** The trust root that assignments go out under, and the way to it from the first one, which agents are born with. */

import type { Envelope } from '@imlma/protocol/trust'
import type { RootChain } from '../trust/roots.fs.ts'

export const rootsInForce =
  (chain: Pick<RootChain, 'current' | 'envelopes'>) =>
  (): { readonly version: number; readonly chain: readonly Envelope[] } => ({
    version: chain.current().version,
    chain: chain.envelopes().slice(1),
  })
