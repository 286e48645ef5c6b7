/**
 * Which trust root is in force here. An agent is born with one and follows the chain; every root it has followed stays
 * known, because what was installed under an older root must load after a reboot when its release key has been replaced.
 */

import { limits } from '@imlma/protocol/limits'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  openEnvelope,
  openFirstRoot,
  openNextRoot,
  rootPayloadType,
  rootSchema,
  type Envelope,
  type TrustRefusal,
  type TrustRoot,
  type VerifySignature,
} from '@imlma/protocol/trust'

export interface ChainLink {
  readonly envelope: Envelope
  readonly root: TrustRoot
}

/** Oldest first; never empty. */
export type Chain = readonly [ChainLink, ...ChainLink[]]

/** The chain's file: the envelopes that were followed beyond the first. */
export interface RootsFile {
  readonly read: () => Promise<readonly Envelope[]>
  readonly write: (envelopes: readonly Envelope[]) => Promise<void>
}

/** A rotation a month for five years; no assignment carries more (`limits.rootsPerDesiredMax`). */
const chainLengthMax = limits.rootsPerDesiredMax

export const currentRoot = (chain: Chain): TrustRoot => (chain.at(-1) as ChainLink).root

/** The root that this agent was given by hand. */
export const beginChain = (anchor: Envelope, verify: VerifySignature): Result<Chain, TrustRefusal> => {
  const opened = openFirstRoot(anchor, verify)
  return opened.ok ? accept([{ envelope: anchor, root: opened.value }]) : opened
}

/**
 * The chain with every root in `envelopes` that is newer, link by link: each is signed by a threshold of the one before
 * and of its own. Older ones are skipped. One bad link refuses all that come with it.
 */
export const followRoots = (
  chain: Chain,
  envelopes: readonly Envelope[],
  verify: VerifySignature,
): Result<Chain, TrustRefusal> => {
  let longer: Chain = chain
  for (const envelope of envelopes) {
    const claimed = openEnvelope(envelope, { payloadType: rootPayloadType, schema: rootSchema })
    if (!claimed.ok) return claimed
    // Only says which one to look at: nothing of what it claims is believed.
    if (claimed.value.version <= currentRoot(longer).version) continue
    if (longer.length >= chainLengthMax) {
      return refuse('TOO_LARGE', `${chainLengthMax} roots were followed; give this agent a newer first root`)
    }
    const next = openNextRoot(currentRoot(longer), envelope, verify)
    if (!next.ok) return refuse(next.refusal.code, `trust root: ${next.refusal.message}`)
    longer = [...longer, { envelope, root: next.value }]
  }
  return accept(longer)
}
