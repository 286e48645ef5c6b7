/**
 * The fleet as its messages tell it. What cannot be parsed is counted and dropped; what can be is merged, told to
 * those who listen, and written down now and then: `flush` takes everything that changed in one transaction.
 */

import { limits } from '@imlma/protocol/limits'
import type { Result } from '@imlma/protocol/result'
import {
  alarmSchema,
  parseCborMessage,
  parseJsonMessage,
  presenceSchema,
  protocolVersion,
  reportedSchema,
  reportSchema,
  type Alarm,
  type Report,
} from '@imlma/protocol/wire'
import type { BrokerMessage } from '../broker/client.ts'
import {
  forgotten,
  newMemory,
  withHeard,
  withPresence,
  withReport,
  withReported,
  type AgentMemory,
} from './agent-memory.ts'
import type { Fleet, FleetChange } from './fleet.ts'
import type { FleetStore, StoredAgent } from './fleet-store.ts'
import type { MergedLatency } from './latency-merge.sketches.ts'
import { createLivePerformances } from './live-performance.ts'
import type { InputReference } from './performance.ts'
import { createRefusals, type Refusals } from './refusals.ts'
import { createSamples, sampleDefaults, type SampleOptions } from './samples.ts'

export const fleetChannels = ['presence', 'reported', 'report', 'alarm'] as const
export type FleetChannel = (typeof fleetChannels)[number]

export interface LiveFleet extends Fleet {
  /** `now` is this side's clock. Never throws on a message. */
  readonly receive: (channel: FleetChannel, message: BrokerMessage, now: number) => void
  readonly refusals: Refusals['counts']
  /** Writes what changed since the last time; what could not be written is tried again at the next. */
  readonly flush: () => Promise<void>
}

interface FleetParts {
  readonly store: FleetStore
  readonly newLatency: () => MergedLatency
  /** Histograms of the inputs as signed with the version; undefined while they are not at hand. */
  readonly referenceOf: (model: string, version: number) => InputReference | undefined
  /** A listener that throws ends here. */
  readonly onListenerError: (cause: unknown) => void
}

interface FleetOptions extends Partial<SampleOptions> {
  /** Names come from topics: without a bound, a wrong client could fill memory with agents that do not exist. */
  readonly agentsMax?: number
  readonly alarmsMax?: number
  readonly versionsMax?: number
}

/** Starts from what was stored; nobody is online until heard of. */
export const createLiveFleet = async (parts: FleetParts, options: FleetOptions = {}): Promise<LiveFleet> => {
  const { agentsMax = 10_000, alarmsMax = 500, versionsMax = 256 } = options
  const memories = new Map<string, AgentMemory>()
  const changed = new Set<string>()
  const alarms: (Alarm & { readonly agent: string })[] = []
  const listeners = new Set<(change: FleetChange) => void>()
  const performances = createLivePerformances(parts, versionsMax)
  const samples = createSamples({ ...sampleDefaults, ...options })
  const refusals = createRefusals()

  const stored = await parts.store.load()
  for (const { record, reports } of stored.agents) {
    memories.set(`${record.site}/${record.agent}`, forgotten({ record, reports }))
  }
  for (const performance of stored.performance) performances.restore(performance)

  const remember = (memory: AgentMemory): void => {
    const key = `${memory.record.site}/${memory.record.agent}`
    memories.set(key, memory)
    changed.add(key)
  }

  const tell = (change: FleetChange): void => {
    for (const listener of listeners) {
      try {
        listener(change)
      } catch (cause) {
        parts.onListenerError(cause)
      }
    }
  }

  const receive: LiveFleet['receive'] = (channel, message, now) => {
    // A retained topic is cleared with an empty payload: nothing is said by it.
    if (message.payload.byteLength === 0) return
    const key = `${message.site}/${message.agent}`
    const memory = memories.get(key) ?? newMemory(message)
    if (!memories.has(key) && memories.size >= agentsMax) {
      refusals.add(
        channel,
        message,
        { code: 'TOO_MANY_AGENTS', message: `more than ${agentsMax} agents` },
        now,
      )
      return
    }
    /** The value, or undefined with the refusal counted. */
    const accepted = <Value>(result: Result<Value>): Value | undefined => {
      if (result.ok) return result.value
      refusals.add(channel, message, result.refusal, now)
      return undefined
    }
    const heardAt = message.retained ? null : now
    switch (channel) {
      case 'presence': {
        const presence = accepted(parseJsonMessage(presenceSchema, message.payload, limits.jsonBytesMax))
        if (presence === undefined) return
        const next = withPresence(memory, presence, heardAt)
        remember(next)
        tell({ kind: 'presence', agent: next.record })
        return
      }
      case 'reported': {
        const reported = accepted(parseJsonMessage(reportedSchema, message.payload, limits.jsonBytesMax))
        if (reported === undefined) return
        const next = withReported(memory, reported, heardAt)
        remember(next)
        tell({ kind: 'reported', agent: next.record })
        return
      }
      case 'report': {
        const report = accepted(parseCborMessage(reportSchema, message.payload, limits.packetBytesMax))
        const next = report && withReport(memory, report, now)
        if (report === undefined || next === undefined) return
        remember(next)
        merge(report, message, now)
        tell({ kind: 'report', agent: next.record, report })
        return
      }
      case 'alarm': {
        const alarm = accepted(parseJsonMessage(alarmSchema, message.payload, limits.jsonBytesMax))
        if (alarm === undefined) return
        const next = withHeard(memory, now)
        remember(next)
        const { agent } = message
        if (alarms.some((known) => known.id === alarm.id && known.agent === agent)) return
        alarms.unshift({ ...alarm, agent })
        alarms.splice(alarmsMax)
        tell({ kind: 'alarm', agent: next.record, alarm })
      }
    }
  }

  const merge = (report: Report, message: BrokerMessage, now: number): void => {
    for (const window of report.versions) {
      const { model, version } = window
      const refusal = performances.add(window)
      if (refusal !== undefined) refusals.add('report', message, refusal, now)
      samples.add(window.samples.map((sample) => ({ ...sample, agent: message.agent, model, version })))
    }
  }

  const flush = async (): Promise<void> => {
    const keys = [...changed]
    changed.clear()
    const performance = performances.takeChanged()
    if (keys.length === 0 && performance.length === 0) return
    try {
      await parts.store.save(
        keys.flatMap((key) => toStored(memories.get(key))),
        performance,
      )
    } catch (cause) {
      for (const key of keys) changed.add(key)
      performances.putBack(performance)
      throw cause
    }
  }

  return {
    agents: () => [...memories.values()].map(({ record }) => record),
    agent: (site, agent) => memories.get(`${site}/${agent}`)?.record,
    performance: performances.of,
    samples: samples.of,
    alarms: (limit) => alarms.slice(0, Math.max(0, limit)),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    receive,
    refusals: refusals.counts,
    flush,
  }
}

const toStored = (memory: AgentMemory | undefined): StoredAgent[] =>
  memory === undefined
    ? []
    : [
        {
          v: protocolVersion,
          record: { ...memory.record, windows: { ...memory.record.windows } },
          reports: [...memory.reports],
        },
      ]
