/**
 * A state from what is on disk, for an agent whose state file is gone or cannot be read: of each model, the highest
 * release whose signature and bytes verify is the champion. Marks of quarantine count; pins and counters are forgotten.
 */

import { limits } from '@imlma/protocol/limits'
import type { InstalledVersion } from '@imlma/protocol/wire'
import { claimedManifest, toInstalled } from './admission.ts'
import { emptyAgentState, type AgentState } from './agent-state.ts'
import { deploymentLimits, emptyDeployment, type Deployment } from './deployment-state.ts'
import { openInstalled, type InstalledTerms } from './installed.ts'
import type { ModelStore } from './store.ts'

export const rebuildState = async (
  terms: InstalledTerms & {
    readonly store: Pick<ModelStore, 'manifest' | 'digests' | 'quarantined' | 'verify'>
  },
): Promise<AgentState> => {
  const { store } = terms
  const quarantined = (await store.quarantined()).slice(-deploymentLimits.quarantinedMax)
  const versions = new Map<string, InstalledVersion[]>()
  for (const sha256 of await store.digests()) {
    const envelope = await store.manifest(sha256)
    const model = envelope === undefined ? undefined : claimedManifest(envelope)?.model
    if (model === undefined || quarantined.includes(sha256)) continue
    const opened = await openInstalled(terms, model, sha256)
    // What may only run in shadow is told again; it was never a champion.
    if (!opened.ok || opened.value.mode === 'shadow' || !(await store.verify(sha256)).ok) continue
    versions.set(model, [...(versions.get(model) ?? []), toInstalled(opened.value)])
  }
  const models = [...versions].slice(0, limits.modelsPerAgentMax)
  return {
    ...emptyAgentState,
    models: Object.fromEntries(models.map(([model, found]) => [model, toDeployment(found, quarantined)])),
  }
}

const toDeployment = (found: readonly InstalledVersion[], quarantined: readonly string[]): Deployment => {
  const [champion = null, previous = null] = found.toSorted((a, b) => b.release - a.release)
  return {
    ...emptyDeployment,
    champion,
    previous,
    releaseMax: champion?.release ?? 0,
    quarantined: [...quarantined],
  }
}
