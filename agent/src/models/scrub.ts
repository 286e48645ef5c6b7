/**
 * Hashes the files of what serves, and of what a rollback would bring back, although nobody loads them now. A file that was
 * changed is moved aside and brought again while the loaded model goes on answering: no decision is taken here, and what
 * could not be brought is tried with the next pass, or by the repair of the next start.
 */

import type { InstalledVersion } from '@imlma/protocol/wire'
import type { AgentState } from './agent-state.ts'
import type { DeploymentEvent } from './deployment-state.ts'
import type { Raised } from './machine-room.ts'
import type { ModelStore } from './store.ts'
import type { WorkEffect } from './work.ts'

interface ScrubParts {
  readonly state: () => AgentState
  readonly store: Pick<ModelStore, 'verify' | 'setAside'>
  readonly work: (model: string, effect: WorkEffect, signal: AbortSignal) => Promise<DeploymentEvent>
  readonly raise: (alarm: Raised) => void
}

/** Number of an attempt that no machine waits for: what its work answers is only heard here. */
const noAttempt = 0

export const scrubModels = async (
  { state, store, work, raise }: ScrubParts,
  signal: AbortSignal,
): Promise<void> => {
  for (const [model, candidate] of standing(state())) {
    if (signal.aborted) return
    const verified = await store.verify(candidate.sha256)
    if (verified.ok || state().models[model]?.phase !== 'idle') continue
    if (verified.refusal.code === 'DIGEST_MISMATCH') {
      raise(toAlarm(model, candidate, verified.refusal.message))
      await store.setAside(candidate.sha256, 'artifact')
    }
    const common = { attempt: noAttempt, candidate }
    const fetched = await work(model, { kind: 'fetch', round: 0, ...common }, signal)
    if (fetched.kind === 'fetched') await work(model, { kind: 'verify', isNew: false, ...common }, signal)
  }
}

/** While a model moves, its own work verifies its files. */
const standing = ({ models }: AgentState): readonly (readonly [string, InstalledVersion])[] =>
  Object.entries(models).flatMap(([model, { phase, champion, previous }]) =>
    phase !== 'idle'
      ? []
      : [champion, previous].flatMap((version) => (version === null ? [] : [[model, version] as const])),
  )

const toAlarm = (model: string, { version, sha256 }: InstalledVersion, detail: string): Raised => ({
  model,
  version,
  kind: 'security',
  level: 'act',
  value: null,
  limit: null,
  evidence: { code: 'ARTIFACT_CHANGED', detail, sha256 },
})
