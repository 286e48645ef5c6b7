/** How each assigned version spreads over its agents, put together from the registry's events. */

import type { ChainedEvent } from '../registry/events.ts'
import type { RolloutView } from './views.ts'

type Assignment = RolloutView['agents'][number]

/** Latest assignment first. `events` in any order; later assignments of the same version join the first one. */
export const toRollouts = (events: readonly ChainedEvent[]): readonly RolloutView[] => {
  const rollouts = new Map<string, RolloutView & { readonly seq: number }>()
  for (const { seq, at, event } of events.toSorted((a, b) => a.seq - b.seq)) {
    if (event.kind === 'version-assigned') {
      const key = `${event.model}@${event.version}`
      const known = rollouts.get(key)
      const agents = withAssigned(known?.agents ?? [], event.agents)
      rollouts.set(key, { ...base(event, known?.assignedAt ?? at), seq: known?.seq ?? seq, agents })
    } else if (event.kind === 'version-deployed') {
      const key = `${event.model}@${event.version}`
      const known = rollouts.get(key)
      if (known === undefined) continue
      const { agent, state, reason, detail } = event
      const others = known.agents.filter((assignment) => assignment.agent !== agent)
      rollouts.set(key, { ...known, agents: [...others, { agent, state, reason, detail, at }] })
    }
  }
  const newest = newestPerModel([...rollouts.values()])
  return [...rollouts.values()]
    .toSorted((a, b) => b.seq - a.seq)
    .map((rollout) => ({
      model: rollout.model,
      version: rollout.version,
      assignedAt: rollout.assignedAt,
      agents: rollout.agents.toSorted((a, b) => (a.agent < b.agent ? -1 : 1)),
      state: stateOf(rollout, newest.get(rollout.model) === rollout.version),
    }))
}

const base = ({ model, version }: { model: string; version: number }, assignedAt: number) => ({
  model,
  version,
  assignedAt,
  state: 'moving' as const,
})

const withAssigned = (known: readonly Assignment[], agents: readonly string[]): Assignment[] => [
  ...known,
  ...agents
    .filter((agent) => known.every((assignment) => assignment.agent !== agent))
    .map((agent) => ({ agent, state: 'assigned' as const, reason: null, detail: '', at: null })),
]

const newestPerModel = (rollouts: readonly RolloutView[]): ReadonlyMap<string, number> => {
  const newest = new Map<string, number>()
  for (const { model, version } of rollouts) newest.set(model, Math.max(version, newest.get(model) ?? 0))
  return newest
}

const stateOf = ({ agents }: RolloutView, isNewest: boolean): RolloutView['state'] => {
  if (agents.every(({ state }) => state === 'committed')) return 'complete'
  if (!isNewest) return 'superseded'
  return agents.some(({ state }) => state === 'assigned') ? 'moving' : 'incomplete'
}
