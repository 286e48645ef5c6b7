/** What one agent's messages change in what we know of it. A message that comes twice counts once. */

import type { Address, Presence, Report, Reported } from '@imlma/protocol/wire'
import type { AgentRecord } from './fleet.ts'

/** The record that others see, and which reports are in it already. */
export interface AgentMemory {
  readonly record: AgentRecord
  /** Identities of the latest reports: MQTT delivers at least once. */
  readonly reports: readonly string[]
}

/** Reports that an agent may have in flight at the same time, with room to spare. */
const reportsMax = 64
/** Versions whose latest window is kept per agent: active and previous of every model, and some that went. */
const windowsMax = 64

export const newMemory = ({ site, agent }: Address): AgentMemory => ({
  record: { site, agent, presence: null, heardAt: 0, reported: null, windows: {}, process: null },
  reports: [],
})

/** `heardAt` stays with a retained message and a last will: the broker spoke, not the agent. */
export const withPresence = (
  memory: AgentMemory,
  presence: Presence,
  heardAt: number | null,
): AgentMemory => {
  const spoke = presence.state === 'online' ? heardAt : null
  return { ...memory, record: { ...memory.record, presence, heardAt: spoke ?? memory.record.heardAt } }
}

export const withReported = (
  memory: AgentMemory,
  reported: Reported,
  heardAt: number | null,
): AgentMemory => ({
  ...memory,
  record: { ...memory.record, reported, heardAt: heardAt ?? memory.record.heardAt },
})

export const withHeard = (memory: AgentMemory, heardAt: number): AgentMemory => ({
  ...memory,
  record: { ...memory.record, heardAt },
})

/** Undefined for a report that is in it already. */
export const withReport = (memory: AgentMemory, report: Report, heardAt: number): AgentMemory | undefined => {
  const identity = `${report.bootId} ${report.windowStart} ${report.windowEnd}`
  if (memory.reports.includes(identity)) return undefined
  const windows = { ...memory.record.windows }
  for (const window of report.versions) {
    const key = `${window.model}@${window.version}`
    // Set anew, so that the order is that of the last report. Samples are kept apart, for all agents together.
    delete windows[key]
    windows[key] = { ...window, samples: [] }
  }
  return {
    record: {
      ...memory.record,
      heardAt,
      process: report.process,
      windows: Object.fromEntries(Object.entries(windows).slice(-windowsMax)),
    },
    reports: [...memory.reports, identity].slice(-reportsMax),
  }
}

/** After our own restart nobody is online until he says so, or the broker does. */
export const forgotten = (memory: AgentMemory): AgentMemory => {
  const { presence } = memory.record
  if (presence === null) return memory
  return { ...memory, record: { ...memory.record, presence: { ...presence, state: 'offline' } } }
}
