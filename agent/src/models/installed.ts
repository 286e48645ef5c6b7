/**
 * May what lies on this disk be loaded? Its bytes must have their digest now, not once, and its manifest must carry a
 * release signature under a root that this agent follows or has followed: a release key that was replaced since
 * does not turn off what it installed, but nothing new is believed on its word (`admission.ts` asks the newest root).
 */

import type { Manifest } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { VerifySignature } from '@imlma/protocol/trust'
import type { DeploymentReason } from '@imlma/protocol/wire'
import { admitManifest, type AdmissionRefusal } from './admission.ts'
import { toDeploymentReason } from './reasons.ts'
import type { Chain } from './roots.ts'
import type { ModelStore } from './store.ts'

export interface InstalledTerms {
  readonly store: Pick<ModelStore, 'manifest'>
  readonly chain: Chain
  readonly verify: VerifySignature
}

/** The verified manifest of a digest on disk. */
export const openInstalled = async (
  { store, chain, verify }: InstalledTerms,
  model: string,
  sha256: string,
): Promise<Result<Manifest, DeploymentReason>> => {
  const envelope = await store.manifest(sha256)
  if (envelope === undefined) return refuse('MALFORMED', 'its manifest is missing or cannot be read')
  const opened = underAnyRoot(chain, (root) => admitManifest(model, envelope, { root, verify }))
  if (!opened.ok) return refuse(toDeploymentReason(opened.refusal.code), opened.refusal.message)
  const { manifest } = opened.value
  return manifest.artifact.sha256 === sha256
    ? accept(manifest)
    : refuse('MALFORMED', 'its manifest is about another digest')
}

type Opened = ReturnType<typeof admitManifest>

/** Newest root first; the refusal is the newest one's. */
const underAnyRoot = (chain: Chain, open: (root: Chain[number]['root']) => Opened): Opened => {
  let refusal: Opened | undefined
  for (const { root } of chain.toReversed()) {
    const opened = open(root)
    if (opened.ok) return opened
    refusal ??= opened
  }
  return refusal ?? refuse<AdmissionRefusal>('UNKNOWN_KEY', 'no trust root')
}
