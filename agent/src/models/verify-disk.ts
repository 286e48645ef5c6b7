/** Does every model on this disk hold: the signature of its manifest under a root of this agent, and its file's digest? */

import type { VerifySignature } from '@imlma/protocol/trust'
import { claimedManifest } from './admission.ts'
import { openInstalled } from './installed.ts'
import type { Chain } from './roots.ts'
import type { ModelStore } from './store.ts'

export interface VerifiedFile {
  readonly sha256: string
  /** As the manifest says; null where it cannot be read. */
  readonly model: string | null
  readonly version: number | null
  readonly ok: boolean
  /** Code and words of the refusal; null where it holds. */
  readonly reason: string | null
}

/** In the order of the digests. */
export const verifyDisk = async ({
  store,
  chain,
  verify,
}: {
  readonly store: Pick<ModelStore, 'digests' | 'manifest' | 'verify'>
  readonly chain: Chain
  readonly verify: VerifySignature
}): Promise<readonly VerifiedFile[]> => {
  const files: VerifiedFile[] = []
  for (const sha256 of (await store.digests()).toSorted()) {
    const envelope = await store.manifest(sha256)
    const claimed = envelope === undefined ? undefined : claimedManifest(envelope)
    const { model = null, version = null } = claimed ?? {}
    const signed = await openInstalled({ store, chain, verify }, model ?? '', sha256)
    const bytes = signed.ok ? await store.verify(sha256) : signed
    const reason = bytes.ok ? null : `${bytes.refusal.code}: ${bytes.refusal.message}`
    files.push({ sha256, model, version, ok: bytes.ok, reason })
  }
  return files
}
