/** Was every reading that an agent's source has ever handed over stored, once, and with its value? */

import { DatabaseSync } from 'node:sqlite'
import { createSimulation } from '@imlma/agent/sources'
import { openReadingsReader } from '@imlma/coordinator/storage/readings'
import { limits } from '@imlma/protocol/limits'
import { parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import { site } from '../house/watch.mqtt.ts'

export interface Fed {
  readonly agent: string
  readonly meters: readonly string[]
  readonly seed: number
  readonly register: string
  readonly intervalMs: number
  /** Of the first reading. */
  readonly firstAt: number
}

export interface Count {
  readonly readings: number
  /** Not stored, or stored with another value. */
  readonly lost: number
  readonly doubled: number
}

/** The end (exclusive) of what the source has handed over, by the agent's own, durable word. */
const endOf = (path: string): number => {
  const database = new DatabaseSync(path)
  try {
    const row = database.prepare(`SELECT position FROM cursors WHERE source = 'feed'`).get()
    return (JSON.parse(String(row?.['position'])) as { next: number }).next
  } finally {
    database.close()
  }
}

/** How often each (meter, time) came in an accepted batch. */
const acceptedTimes = (path: string, agent: string, intervalMs: number): Map<string, number> => {
  const database = new DatabaseSync(path, { readOnly: true })
  const times = new Map<string, number>()
  try {
    const batches = database
      .prepare('SELECT bytes FROM batches JOIN agents ON agents.id = agent_id WHERE agent = ?')
      .iterate(agent)
    for (const { bytes } of batches) {
      const batch = parseCborMessage(readingBatchSchema, bytes as Uint8Array, limits.packetBytesMax)
      if (!batch.ok) throw new Error(batch.refusal.message)
      for (const { meter, start, values } of batch.value.series) {
        for (let i = 0; i < values.length; i++) {
          const key = `${meter}@${start + i * intervalMs}`
          times.set(key, (times.get(key) ?? 0) + 1)
        }
      }
    }
    return times
  } finally {
    database.close()
  }
}

/** `agentFile`, `centreFile`: their files of readings; nobody runs on the first. */
export const countStored = (fed: Fed, agentFile: string, centreFile: string): Count => {
  const { agent, meters, seed, register, intervalMs, firstAt } = fed
  const end = endOf(agentFile)
  const slots = (end - firstAt) / intervalMs
  const times = acceptedTimes(centreFile, agent, intervalMs)
  const simulation = createSimulation({ seed, intervalMs })
  const reader = openReadingsReader(centreFile)
  let lost = 0
  try {
    for (const meter of meters) {
      const stored = reader.read({ site, meter, register, intervalMs }, firstAt, end)
      const expected = simulation.read(meter, firstAt, slots)
      lost += expected.filter((value, i) => !Object.is(value, stored.values[i])).length
    }
  } finally {
    reader.close()
  }
  const doubled = [...times.values()].filter((count) => count > 1).length
  const missed = slots * meters.length - times.size
  return { readings: slots * meters.length, lost: Math.max(lost, missed), doubled }
}
