/**
 * Takes the logs of agents in, page by page: parse → follow the chain → store → check against what was seen here →
 * acknowledge. What does not agree becomes an alert in the registry, with what a person needs to look further.
 */

import {
  auditPageSchema,
  openCheckpoint,
  sameAuditHead,
  type AuditAck,
  type AuditEntry,
  type AuditPage,
  type Hash,
} from '@imlma/protocol/audit'
import { limits } from '@imlma/protocol/limits'
import type { VerificationKey, VerifySignature } from '@imlma/protocol/trust'
import { encodeJson, parseJsonMessage, protocolVersion } from '@imlma/protocol/wire'
import type { BrokerClient, BrokerMessage } from '../broker/client.ts'
import type { ChainedEvent, RegistryEvent } from '../registry/events.ts'
import type { Registry } from '../registry/registry.ts'
import type { StateStore } from '../storage/states.ts'
import type { AgentLogs } from './agent-logs.fs.ts'
import {
  crossCheckSchema,
  deploymentKey,
  emptyCrossCheck,
  expectFact,
  isSealed,
  noteSealed,
  seeCommand,
  settle,
  takeEntry,
  type Checked,
  type CrossCheck,
} from './cross-check.ts'
import { judgePage, type StoredLog } from './page.ts'

export interface CollectorParts {
  readonly client: Pick<BrokerClient, 'publish'>
  readonly registry: Pick<Registry, 'append' | 'subscribe'>
  readonly states: Pick<StateStore, 'loadAll' | 'save'>
  readonly logs: AgentLogs
  /** Keys that were ever certified as this agent's; none at a site without certificates. */
  readonly keysOf: (agent: string) => Promise<readonly VerificationKey[]>
  readonly verify: VerifySignature
  readonly hash: Hash
  readonly now: () => number
  readonly onFailure: (cause: unknown) => void
}

export interface CollectorOptions {
  readonly site: string
  /** Milliseconds that an agent's log may take to come behind what the agent said. */
  readonly graceMs?: number
  /** Entries, and milliseconds, after which the registry names the place that a log has reached. */
  readonly anchorEntries?: number
  readonly anchorMs?: number
}

export interface Collector {
  /** A message of `audit`. Never rejects. */
  readonly accept: (message: BrokerMessage) => Promise<void>
  /** An assignment is about to be published: durable in the registry on return, once for each signed payload. */
  readonly noteSealed: (
    agent: string,
    sealed: { counter: number; digest: string; keyid: string },
  ) => Promise<void>
  readonly stop: () => Promise<void>
}

const room = 'audit'
/** Pages that wait for their turn, of all agents: each agent has one on its way. */
const waitingMax = 4_096

export const createCollector = async (
  parts: CollectorParts,
  options: CollectorOptions,
): Promise<Collector> => {
  const { client, registry, states, logs, keysOf, verify, hash, now, onFailure } = parts
  const { site, graceMs = 60_000, anchorEntries = 1_000, anchorMs = 86_400_000 } = options
  const checks = new Map(await states.loadAll(room, crossCheckSchema))
  const stored = new Map<string, StoredLog | undefined>()
  const suspicious = new Set<string>()
  /** Alerts of this process: the same page that comes again raises none. */
  const raised = new Set<string>()
  const turns = new Map<string, Promise<unknown>>()

  /** One thing at a time of each agent. */
  const inTurn = <Value>(agent: string, task: () => Promise<Value>): Promise<Value> => {
    const result = (turns.get(agent) ?? Promise.resolve()).then(task)
    const ended = result
      .catch(() => undefined)
      .then(() => {
        if (turns.get(agent) === ended) turns.delete(agent)
      })
    turns.set(agent, ended)
    return result
  }

  const checkOf = (agent: string): CrossCheck => checks.get(agent) ?? emptyCrossCheck
  const keep = async (agent: string, state: CrossCheck): Promise<void> => {
    if (state === checkOf(agent)) return
    await states.save(room, agent, state, now())
    checks.set(agent, state)
  }

  const raise = async (agent: string, code: string, evidence: Evidence): Promise<void> => {
    const id = `audit-${hash(`${agent} ${code} ${JSON.stringify(evidence)}`).slice(0, 24)}`
    if (raised.has(id)) return
    const common = { agent, model: null, version: null, level: 'act' as const }
    await registry.append(
      [{ kind: 'alert-raised', id, source: 'audit', alert: code, evidence, ...common }],
      now(),
    )
    raised.add(id)
  }

  const latestOf = async (agent: string): Promise<StoredLog | undefined> => {
    if (!stored.has(agent)) stored.set(agent, await logs.latest(agent))
    return stored.get(agent)
  }

  const take = async (agent: string, page: AuditPage): Promise<void> => {
    const before = await latestOf(agent)
    const verdict = judgePage(before, page, suspicious.has(agent), hash)
    if (verdict.isSuspicious === true) suspicious.add(agent)
    else suspicious.delete(agent)
    if (verdict.alert !== undefined) {
      const { code, detail } = verdict.alert
      await raise(agent, code, { code, detail, log: page.log, head: page.head.hash })
    }
    if (verdict.alert?.code === 'AUDIT_BROKEN') return
    const target = verdict.begin ?? before
    if (verdict.begin !== undefined) await logs.begin(agent, verdict.begin)
    if (target === undefined) return
    await logs.append(agent, target, verdict.append)
    const last = verdict.append.at(-1)
    const head = last === undefined ? target.head : { seq: last.seq, hash: last.hash }
    stored.set(agent, { ...target, head })
    const isWhole = sameAuditHead(head, page.head)
    await check(agent, verdict.append, isWhole)
    if (isWhole) await anchor(agent, page)
    const ack: AuditAck = { v: protocolVersion, log: page.log, seq: verdict.acknowledged }
    await client.publish('audit-ack', { site, agent }, encodeJson(ack))
  }

  const check = async (agent: string, entries: readonly AuditEntry[], isWhole: boolean): Promise<void> => {
    const steps: ((state: CrossCheck) => Checked)[] = entries.map(
      (entry) => (state) => takeEntry(state, entry, now()),
    )
    if (isWhole) steps.push((state) => settle(state, now(), graceMs))
    let state = checkOf(agent)
    for (const step of steps) {
      const checked = step(state)
      for (const { detail, seq } of checked.mismatches) {
        await raise(agent, 'AUDIT_MISMATCH', {
          code: 'AUDIT_MISMATCH',
          detail: detail.slice(0, 500),
          entry: seq,
        })
      }
      const learned = checked.learned.map((end): RegistryEvent => ({
        kind: 'command-seen',
        agent,
        model: null,
        operation: 'from the log',
        ...end,
      }))
      if (learned.length > 0) await registry.append(learned, now())
      state = checked.state
    }
    await keep(agent, state)
  }

  /** Names the place in the registry now and then: what is stored here cannot be rewritten behind it either. */
  const anchor = async (agent: string, { log, head, checkpoint }: AuditPage): Promise<void> => {
    const { anchored } = checkOf(agent)
    const isDue =
      anchored?.log !== log ||
      head.seq - anchored.seq >= anchorEntries ||
      (head.seq > anchored.seq && now() - anchored.at >= anchorMs)
    if (!isDue) return
    const opened = checkpoint === null ? undefined : openCheckpoint(checkpoint, await keysOf(agent), verify)
    if (opened?.ok === false && opened.refusal.code === 'BAD_SIGNATURE') {
      return raise(agent, 'AUDIT_BROKEN', { code: 'BAD_SIGNATURE', detail: opened.refusal.message, log })
    }
    const signed = opened?.ok === true ? opened.value : undefined
    const isIts =
      signed?.agent === agent &&
      signed.site === site &&
      signed.log === log &&
      sameAuditHead(signed.head, head)
    const keyid = isIts ? signed.keyid : null
    await registry.append(
      [{ kind: 'agent-log-kept', agent, log, entry: head.seq, head: head.hash, keyid }],
      now(),
    )
    await keep(agent, { ...checkOf(agent), anchored: { log, seq: head.seq, at: now() } })
  }

  const follow = async ({ event }: ChainedEvent): Promise<void> => {
    if (event.kind === 'command-seen') {
      const { agent, commandId, state, code, detail } = event
      await keep(agent, seeCommand(checkOf(agent), { commandId, state, code, detail }, now()))
    } else if (event.kind === 'version-deployed') {
      const { agent, model, version, state } = event
      await keep(agent, expectFact(checkOf(agent), deploymentKey(model, version, state), now()))
    }
  }
  const endEvents = registry.subscribe((chained) => {
    const { event } = chained
    if (event.kind !== 'command-seen' && event.kind !== 'version-deployed') return
    inTurn(event.agent, () => follow(chained)).catch(onFailure)
  })

  return {
    accept: async ({ agent, site: from, payload, retained }) => {
      if (retained || from !== site || turns.size >= waitingMax) return
      const page = parseJsonMessage(auditPageSchema, payload, limits.jsonBytesMax)
      await inTurn(agent, async () => {
        if (!page.ok) {
          const { code, message } = page.refusal
          return raise(agent, 'AUDIT_BROKEN', { code, detail: message.slice(0, 500) })
        }
        return take(agent, page.value)
      }).catch(onFailure)
    },
    noteSealed: (agent, { counter, digest, keyid }) =>
      inTurn(agent, async () => {
        if (isSealed(checkOf(agent), counter, digest)) return
        await registry.append([{ kind: 'desired-sealed', agent, counter, digest, keyid }], now())
        await keep(agent, noteSealed(checkOf(agent), counter, digest))
      }),
    stop: async () => {
      endEvents()
      await Promise.all(turns.values())
    },
  }
}

type Evidence = Extract<RegistryEvent, { kind: 'alert-raised' }>['evidence']
