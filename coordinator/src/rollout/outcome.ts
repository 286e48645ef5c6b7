/** Which facts follow from an agent's report that the registry has not been told yet? */

import type { AgentRecord } from '../fleet/fleet.ts'
import type { RegistryEvent } from '../registry/events.ts'
import type { RolloutEntry } from './store.ts'

export interface Observation {
  readonly events: readonly RegistryEvent[]
  readonly recorded: RolloutEntry['recorded']
}

export const observe = ({ recorded }: RolloutEntry, { agent, reported }: AgentRecord): Observation => {
  const events: RegistryEvent[] = []
  const next: Record<string, RolloutEntry['recorded'][string]> = { ...recorded }
  for (const [model, state] of Object.entries(reported?.models ?? {})) {
    const before = recorded[model] ?? { outcome: '', pinned: false }
    const { outcome } = state
    const key = outcome === null ? before.outcome : `${outcome.sha256}:${outcome.state}:${outcome.at}`
    if (outcome !== null && key !== before.outcome) {
      events.push({
        kind: 'version-deployed',
        model,
        version: outcome.version,
        agent,
        state: outcome.state,
        reason: outcome.reason,
        detail: outcome.detail,
        durationsMs: outcome.durationsMs,
      })
    }
    if (state.pinned !== before.pinned) {
      const version = state.active?.version ?? null
      events.push({ kind: 'pin-changed', agent, model, pinned: state.pinned, version })
    }
    next[model] = { outcome: key, pinned: state.pinned }
  }
  return { events, recorded: next }
}
