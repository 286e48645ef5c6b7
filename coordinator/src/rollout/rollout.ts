/**
 * Moves promoted versions through the fleet: tells each agent what to serve, listens to what became of it, and
 * writes that down. An assignment is on disk before it is published, so its counter never goes back; after any
 * reconnect all of them are published again, because an embedded broker forgets retained messages when it restarts.
 */

import { desiredPayloadType, type Desired, type Envelope } from '@imlma/protocol/trust'
import { encodeJson } from '@imlma/protocol/wire'
import type { BrokerClient } from '../broker/client.ts'
import type { AgentRecord, Fleet } from '../fleet/fleet.ts'
import type { Registry } from '../registry/registry.ts'
import type { Assignment, SignedVersion } from './assigned.ts'
import { assignmentDefaults, decideAssignment, isSettled, type AssignmentOptions } from './assignment.ts'
import type { FleetWait } from './fleet-wait.timer.ts'
import { observe } from './outcome.ts'
import { shadowsFor, type AssignedShadow } from './shadow.ts'
import type { RolloutEntry, RolloutStore } from './store.ts'

export interface RolloutParts {
  readonly client: Pick<BrokerClient, 'publish' | 'onConnect' | 'connected'>
  readonly fleet: Pick<Fleet, 'agents' | 'agent' | 'subscribe'>
  readonly registry: Pick<Registry, 'append'>
  readonly store: RolloutStore
  /** Seals a document with the director's key. */
  readonly seal: (payloadType: string, document: Desired) => Envelope | Promise<Envelope>
  /** A version's manifest envelope, verified against its digest. */
  readonly envelope: (sha256: string) => Promise<Envelope>
  /** The trust root in force and the chain from version 2 on, oldest first. */
  readonly roots: () => { readonly version: number; readonly chain: readonly Envelope[] }
  readonly waits: FleetWait
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

export interface RolloutOptions {
  readonly site: string
  /** Time an assignment stays valid; it is renewed long before. */
  readonly expiresAfterMs?: number
  readonly assignment?: AssignmentOptions
  /** Assignments published at the same time: enough to fill a link, few enough to stay fair to other traffic. */
  readonly concurrency?: number
}

export interface Rollout {
  /** From now on this is the version to serve; resolves with the agents that were told. */
  readonly assign: (model: string, version: SignedVersion) => Promise<readonly string[]>
  /** From now on this runs beside its champion, where agents can; undefined: nothing does. Told as `assign` does. */
  readonly shadow: (model: string, shadow: AssignedShadow | undefined) => Promise<readonly string[]>
  /** Resolves when every online agent is settled on the version, or after `timeoutMs`. */
  readonly settled: (model: string, timeoutMs: number) => Promise<void>
  /** Looks at every agent again: after a new trust root, and now and then for what time alone changes. */
  readonly review: () => Promise<readonly string[]>
  readonly assignments: () => readonly RolloutEntry[]
  readonly stop: () => Promise<void>
}

/** `champions`: the promoted version of each model as the registry has it at the start. */
export const createRollout = async (
  parts: RolloutParts,
  champions: Readonly<Record<string, SignedVersion>>,
  options: RolloutOptions,
): Promise<Rollout> => {
  const { site, expiresAfterMs = 30 * 86_400_000, concurrency = 32 } = options
  const rules = options.assignment ?? assignmentDefaults
  const wanted: Record<string, SignedVersion> = { ...champions }
  const shadows = new Map<string, AssignedShadow>()
  const entries = new Map((await parts.store.load()).map((entry) => [entry.agent, entry]))
  const { waits } = parts
  // One change of the entries at a time: a counter that two tasks raise at once would be lost.
  let queue: Promise<unknown> = Promise.resolve()
  const inOrder = <Value>(task: () => Promise<Value>): Promise<Value> => {
    const result = queue.then(task)
    queue = result.catch(parts.onFailure)
    return result
  }

  const entryOf = (agent: string): RolloutEntry =>
    entries.get(agent) ?? { site, agent, assignment: null, recorded: {} }

  const keep = async (changed: readonly RolloutEntry[]): Promise<void> => {
    if (changed.length === 0) return
    await parts.store.save(changed)
    for (const entry of changed) entries.set(entry.agent, entry)
  }

  const publish = async ({ agent, assignment }: RolloutEntry): Promise<void> => {
    if (assignment === null) return
    const desired = await toDesired(agent, assignment)
    await parts.client.publish(
      'desired',
      { site, agent },
      encodeJson(await parts.seal(desiredPayloadType, desired)),
    )
  }

  const toDesired = async (agent: string, assignment: Assignment): Promise<Desired> => {
    const models: Desired['models'] = {}
    for (const [name, { envelopeSha256, shadow }] of Object.entries(assignment.models)) {
      const active = { manifest: await parts.envelope(envelopeSha256), mode: 'active' as const }
      models[name] =
        shadow === undefined ? active : { ...active, shadow: await parts.envelope(shadow.envelopeSha256) }
    }
    const { counter, issuedAt } = assignment
    const base = {
      v: 1 as const,
      site,
      agent,
      counter,
      issuedAt,
      expiresAt: issuedAt + expiresAfterMs,
      models,
    }
    const { chain } = parts.roots()
    return chain.length === 0 ? base : { ...base, roots: [...chain] }
  }

  const publishAll = async (list: readonly RolloutEntry[]): Promise<void> => {
    if (!parts.client.connected()) return // the next connect publishes everything
    const rest = [...list]
    const worker = async (): Promise<void> => {
      for (let entry = rest.shift(); entry !== undefined; entry = rest.shift()) await publish(entry)
    }
    await Promise.all(Array.from({ length: Math.min(concurrency, rest.length) }, worker))
  }

  /** Decides, persists, publishes; returns the names of those who were told something new. */
  const consider = async (agents: readonly AgentRecord[]): Promise<readonly string[]> => {
    const { version: rootVersion } = parts.roots()
    const changed = agents.flatMap(({ agent, reported, presence }) => {
      const entry = entryOf(agent)
      const told = entry.assignment ?? undefined
      const own = shadowsFor({ agent, presence }, shadows, told)
      const state = { reported, rootVersion, now: parts.now(), shadows: own }
      const next = decideAssignment(told, wanted, state, rules)
      return next === undefined ? [] : [{ ...entry, assignment: next }]
    })
    await keep(changed)
    await publishAll(changed)
    return changed.map(({ agent }) => agent)
  }

  const ours = (): readonly AgentRecord[] => parts.fleet.agents().filter((record) => record.site === site)

  const hear = async (record: AgentRecord): Promise<void> => {
    const entry = entryOf(record.agent)
    const seen = observe(entry, record)
    if (seen.events.length > 0) {
      await parts.registry.append(seen.events, parts.now())
      await keep([{ ...entry, recorded: seen.recorded }])
    }
    await consider([record])
    waits.check()
  }

  const endFleet = parts.fleet.subscribe((change) => {
    if (change.agent.site !== site) return
    if (change.kind !== 'presence' && change.kind !== 'reported') return
    void inOrder(() => hear(change.agent)).catch(() => undefined) // reported by the queue
  })
  const endConnect = parts.client.onConnect(() => {
    void inOrder(() => publishAll([...entries.values()])).catch(() => undefined)
  })

  const isModelSettled = (model: string): boolean =>
    ours()
      .filter(({ presence }) => presence?.state === 'online')
      .every(({ agent, reported }) => {
        const { assignment } = entryOf(agent)
        return assignment !== null && isSettled(reported, assignment, model)
      })

  return {
    assign: (model, version) =>
      inOrder(() => {
        wanted[model] = version
        return consider(ours())
      }),
    shadow: (model, shadow) => {
      if (shadow === undefined) shadows.delete(model)
      else shadows.set(model, shadow)
      return inOrder(() => consider(ours()))
    },
    settled: async (model, timeoutMs) => {
      await waits.until(() => isModelSettled(model), timeoutMs)
      // What the last agent said is heard already, but perhaps not yet written down.
      await inOrder(async () => undefined)
    },
    review: () => inOrder(() => consider(ours())),
    assignments: () => [...entries.values()],
    stop: async () => {
      endFleet()
      endConnect()
      waits.release()
      await queue
    },
  }
}
