/** The trust root in force on this agent, and what it says about files that are here already. */

import type { Manifest } from '@imlma/protocol/manifest'
import { accept, Failure, type Result } from '@imlma/protocol/result'
import type { Envelope, TrustRefusal, TrustRoot, VerifySignature } from '@imlma/protocol/trust'
import type { DeploymentReason } from '@imlma/protocol/wire'
import { openInstalled } from './installed.ts'
import { beginChain, currentRoot, followRoots, type Chain, type RootsFile } from './roots.ts'
import type { ModelStore } from './store.ts'

export interface Trust {
  readonly current: () => TrustRoot
  readonly chain: () => Chain
  /** A longer chain is on disk before it is used. Throws `Failure` where it cannot be written. */
  readonly follow: (envelopes: readonly Envelope[]) => Promise<Result<void, TrustRefusal>>
  readonly openInstalled: (model: string, sha256: string) => Promise<Result<Manifest, DeploymentReason>>
}

interface Parts {
  /** The root that this agent was given by hand. */
  readonly anchor: Envelope
  readonly roots: RootsFile
  readonly store: Pick<ModelStore, 'manifest'>
  readonly verify: VerifySignature
}

/** Throws `Failure` BAD_ROOT when the root given by hand does not carry its own signatures. */
export const openTrust = async ({ anchor, roots, store, verify }: Parts): Promise<Trust> => {
  const begun = beginChain(anchor, verify)
  if (!begun.ok) {
    throw new Failure('BAD_ROOT', `the trust root is not believed: ${begun.refusal.message}`, {
      hint: 'copy the root file from the control centre again and compare its digest',
    })
  }
  // What was followed before is followed again, link by link. A bad link ends the chain where it was good.
  let chain = begun.value
  for (const envelope of await roots.read()) {
    const longer = followRoots(chain, [envelope], verify)
    if (!longer.ok) break
    chain = longer.value
  }

  return {
    current: () => currentRoot(chain),
    chain: () => chain,
    follow: async (envelopes) => {
      const longer = followRoots(chain, envelopes, verify)
      if (!longer.ok) return longer
      if (longer.value.length > chain.length) {
        await roots.write(longer.value.slice(1).map(({ envelope }) => envelope))
        chain = longer.value
      }
      return accept(undefined)
    },
    openInstalled: (model, sha256) => openInstalled({ store, chain, verify }, model, sha256),
  }
}
