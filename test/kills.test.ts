import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { spawnAgent, type SpawnedAgent } from '@imlma/agent/serving/testing/processes'
import { createSimulation } from '@imlma/agent/sources'
import { openReadingsReader } from '@imlma/coordinator/storage/readings'
import { limits } from '@imlma/protocol/limits'
import { dayMs } from '@imlma/protocol/series'
import { parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import { freePort, startPart, type Part } from './chaos/part.ts'
import { createRandom } from './chaos/random.ts'

const kills = 20
const site = 'demo'
const register = '1-0:1.29.0'
const intervalMs = 900_000
const liveFrom = Date.UTC(2025, 2, 3)
const historyDays = 20
const firstAt = liveFrom - historyDays * dayMs
const feedSeed = 7
const meters = { 'gw-1': ['m-1', 'm-2', 'm-3', 'm-4'], 'gw-2': ['m-5', 'm-6', 'm-7'] } as const
type AgentName = keyof typeof meters
const agents = Object.keys(meters) as AgentName[]

let folder: string
let broker: Part
let port: number
const running = new Map<AgentName, SpawnedAgent>()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-kills-'))
  port = await freePort()
  await writeFile(join(folder, 'silent.json'), JSON.stringify({ sources: [] }))
  for (const agent of agents) {
    const feed = {
      kind: 'simulated',
      name: 'feed',
      seed: feedSeed,
      meters: meters[agent],
      register,
      intervalMs,
      liveFrom,
      historyDays,
      // Two days a second in small batches: at any moment something is being written, sent or acknowledged.
      speed: 172_800,
      slotsPerAppendMax: 6,
    }
    await writeFile(join(folder, `${agent}.json`), JSON.stringify({ sources: [feed] }))
  }
})
afterEach(async () => {
  for (const agent of running.values()) await agent.end('SIGKILL')
  running.clear()
  await broker.end('SIGKILL')
  await rm(folder, { recursive: true })
})

const startBroker = (): void => {
  const state = ['--data-dir', folder, '--site', site, '--mqtt-port', String(port)]
  broker = startPart(['broker', ...state, '--clock', 'simulated', '--log', 'error'])
}

const startAgent = (name: AgentName, config: string = name): SpawnedAgent => {
  const identity = ['--name', name, '--site', site, '--broker', `mqtt://127.0.0.1:${port}`, '--port', '0']
  const state = ['--data-dir', join(folder, 'agents', name), '--config', join(folder, `${config}.json`)]
  const agent = spawnAgent([...identity, ...state, '--log', 'error'])
  running.set(name, agent)
  return agent
}

const killOne = async (victim: AgentName | 'broker'): Promise<void> => {
  if (victim === 'broker') {
    await broker.end('SIGKILL')
    startBroker()
  } else {
    await running.get(victim)?.end('SIGKILL')
    startAgent(victim)
  }
}

/** The end (exclusive) of what the source of a stopped agent has ever handed over: its own, durable word. */
const endOf = (agent: AgentName): number => {
  const database = new DatabaseSync(join(folder, 'agents', agent, 'readings.db'))
  try {
    const { position } = database.prepare(`SELECT position FROM cursors WHERE source = 'feed'`).get() as {
      position: string
    }
    return (JSON.parse(position) as { next: number }).next
  } finally {
    database.close()
  }
}

/** Every accepted batch as it came: how often each (meter, time) is in one, by agent. */
const acceptedOf = (path: string) => {
  const database = new DatabaseSync(path)
  try {
    const batches = database
      .prepare(
        'SELECT agent, seq, bytes FROM batches JOIN agents ON agents.id = agent_id ORDER BY agent, seq',
      )
      .all() as unknown as { agent: AgentName; seq: number; bytes: Uint8Array }[]
    const times = new Map<string, number[]>()
    for (const { agent, seq, bytes } of batches) {
      const batch = parseCborMessage(readingBatchSchema, bytes, limits.packetBytesMax)
      if (!batch.ok) throw new Error(batch.refusal.message)
      expect(batch.value.seq).toBe(seq)
      for (const { meter, start, values } of batch.value.series) {
        expect(meters[agent]).toContain(meter)
        const known = times.get(meter) ?? []
        times.set(meter, known)
        for (let i = 0; i < values.length; i++) known.push(start + i * intervalMs)
      }
    }
    // Live readings overtake a backlog.
    for (const known of times.values()) known.sort((a, b) => a - b)
    return { batches: batches.map(({ agent, seq }) => ({ agent, seq })), times }
  } finally {
    database.close()
  }
}

/** Stops the feeds where they are and lets the agents, without any feed, deliver what they still have. */
const drain = async (): Promise<void> => {
  for (const agent of agents) {
    await running.get(agent)?.up
    await running.get(agent)?.end('SIGTERM')
  }
  for (const agent of agents) {
    const url = await startAgent(agent, 'silent').up
    await vi.waitFor(
      async () => {
        const status = (await (await fetch(`${url}/status`)).json()) as { backlog: object }
        expect(status.backlog).toMatchObject({ batches: 0, readings: 0, dropped: 0 })
      },
      { timeout: 20_000, interval: 50 },
    )
    await running.get(agent)?.end('SIGTERM')
  }
}

test(`after ${kills} kills of broker and agents every reading is stored, once`, async () => {
  const seed = Number(process.env['IMLMA_SEED'] ?? Date.now() % 1_000_000)
  const random = createRandom(seed)
  console.log(`seed ${seed}: repeat with IMLMA_SEED=${seed}`)
  startBroker()
  for (const agent of agents) startAgent(agent)
  await Promise.all([broker.up, ...[...running.values()].map(({ up }) => up)])

  const victims = ['broker', ...agents] as const
  const killed = { broker: 0, 'gw-1': 0, 'gw-2': 0 }
  for (let kill = 0; kill < kills; kill++) {
    // Sometimes in the middle of a start, mostly in the middle of work.
    await pause(50 + random() * 1_300)
    const victim = victims[Math.floor(random() * victims.length)] ?? 'broker'
    killed[victim] += 1
    await killOne(victim)
  }
  await broker.up
  await drain()

  const ends = { 'gw-1': endOf('gw-1'), 'gw-2': endOf('gw-2') }
  const slotsOf = (agent: AgentName): number => (ends[agent] - firstAt) / intervalMs
  const expected = agents.reduce((sum, agent) => sum + slotsOf(agent) * meters[agent].length, 0)
  const reader = openReadingsReader(join(folder, 'readings.db'))
  await vi.waitFor(() => expect(reader.filled(site, register, intervalMs)).toBe(expected), 10_000)

  const simulation = createSimulation({ seed: feedSeed, intervalMs })
  for (const agent of agents) {
    expect(slotsOf(agent), `${agent} went live`).toBeGreaterThan(historyDays * 96)
    for (const meter of meters[agent]) {
      const key = { site, meter, register, intervalMs }
      const [record] = reader.series(key)
      expect(record).toMatchObject({ agent, firstAt, lastAt: ends[agent] - intervalMs })
      expect(record?.filled).toBe(slotsOf(agent))
      const stored = reader.read(key, firstAt, ends[agent])
      expect(stored.values).toEqual(simulation.read(meter, firstAt, slotsOf(agent)))
      expect(stored.quality.every((code) => code === 0)).toBe(true)
    }
  }

  const accepted = acceptedOf(join(folder, 'readings.db'))
  for (const agent of agents) {
    const sequences = accepted.batches.filter((batch) => batch.agent === agent).map(({ seq }) => seq)
    expect(sequences).toEqual(sequences.map((_, i) => i + 1))
    const last = sequences.length
    const coverage = reader.coverage().find((each) => each.agent === agent)
    expect(coverage).toEqual({
      site,
      agent,
      batches: last,
      acknowledged: last,
      highest: last,
      lost: 0,
    })
    for (const meter of meters[agent]) {
      const times = accepted.times.get(meter) ?? []
      expect(times).toEqual(Array.from({ length: slotsOf(agent) }, (_, i) => firstAt + i * intervalMs))
    }
  }
  expect(reader.quarantined()).toEqual({})
  reader.close()
  console.log(`kills: ${JSON.stringify(killed)}; readings: ${expected}; batches: ${accepted.batches.length}`)
}, 60_000)
