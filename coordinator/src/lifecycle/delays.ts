/**
 * Where the time between a trigger and the last agent's swap went. Everything before the fleet follows from when
 * each fact was appended; the agents measure their own part, and the slowest of them counts.
 */

import type { ChainedEvent, RegistryEvent } from '../registry/events.ts'

export type Delays = Extract<RegistryEvent, { kind: 'run-completed' }>['delayMs']

type Deployed = Extract<RegistryEvent, { kind: 'version-deployed' }>

/** Delays of one run out of its own events (any order); steps that did not happen are null. Milliseconds, real time. */
export const delaysOf = (events: readonly ChainedEvent[], now: number): Delays => {
  const at = (kind: RegistryEvent['kind']) => events.find(({ event }) => event.kind === kind)?.at
  const between = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? undefined : Math.max(0, to - from)

  const triggered = events.find(({ event }) => event.kind === 'retraining-triggered')
  const trigger = triggered?.event.kind === 'retraining-triggered' ? triggered.event.trigger : undefined
  const detect = typeof trigger?.evidence['detectMs'] === 'number' ? trigger.evidence['detectMs'] : 0
  // A run that a proof in shadow opened again is measured from that proof on.
  const started = at('retraining-triggered') ?? at('shadow-ended')
  const frozen = at('dataset-frozen')
  const trained = at('version-trained')
  const decided = at('version-decided')
  const signed = at('version-signed')
  const fleet = fleetDelays(events, signed, at('version-assigned'))
  const end = fleet?.end ?? decided ?? now

  return {
    detect,
    queue: between(started, frozen) ?? 0,
    train: between(frozen, trained) ?? 0,
    gate: between(trained, decided) ?? 0,
    sign: between(decided, signed) ?? null,
    publish: fleet?.publish ?? null,
    fetch: fleet?.fetch ?? null,
    verify: fleet?.verify ?? null,
    swap: fleet?.swap ?? null,
    probation: fleet?.probation ?? null,
    total: detect + (between(started, end) ?? 0),
  }
}

/**
 * The slowest agent's steps, as it measured them. Between the signature and the assignment we publish; what is left
 * until the agent said that it committed is its probation. A quick agent may be done before our own record of the
 * assignment is, so publishing never counts longer than what the agent leaves.
 */
const fleetDelays = (
  events: readonly ChainedEvent[],
  signedAt: number | undefined,
  assignedAt: number | undefined,
) => {
  const slowest = events.findLast(({ event }) => event.kind === 'version-deployed')
  if (slowest === undefined || signedAt === undefined) return undefined
  const { fetch = 0, verify = 0, swap = 0 } = (slowest.event as Deployed).durationsMs
  const left = Math.max(0, slowest.at - signedAt - fetch - verify - swap)
  const publish = Math.min(left, Math.max(0, (assignedAt ?? slowest.at) - signedAt))
  return { end: slowest.at, publish, fetch, verify, swap, probation: left - publish }
}
