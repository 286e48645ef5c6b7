import { Failure } from '@imlma/protocol/result'
import { encodeCbor, encodeJson } from '@imlma/protocol/wire'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createBrokerClient } from '../broker/client.mqtt.ts'
import { createBroker } from '../broker/broker.aedes.ts'
import { createReadingsStore } from '../storage/readings.sqlite.ts'
import type { ReadingsStore } from '../storage/readings.ts'
import { startEmbeddedIngest, type EmbeddedIngest } from './embedded.aedes.ts'
import { createIngest } from './ingest.timer.ts'
import { subscribeIngest } from './subscribe.ts'

const hour = 3_600_000
const register = 'load'
const now = () => 1_000 * hour

const toBatch = (seq: number, more: object = {}) =>
  encodeCbor({
    v: 1,
    seq,
    sentAt: 0,
    historical: false,
    series: [{ meter: 'm-1', register, interval: hour, start: seq * hour, values: Float32Array.of(seq) }],
    ...more,
  })
const presence = (state: string) =>
  Buffer.from(encodeJson({ v: 1, state, bootId: 'b', agentVersion: '1', capabilities: [], at: 0 }))

/** An agent made of nothing but an MQTT library: publishes, and remembers the acknowledgements. */
const connectAgent = async (url: string, agent = 'gw-1') => {
  const client = await connectAsync(url, {
    clientId: `agent:demo:${agent}`,
    protocolVersion: 4,
    clean: false,
    reconnectPeriod: 20,
  })
  const acks: number[] = []
  client.on('message', (_topic, payload) =>
    acks.push((JSON.parse(payload.toString()) as { seq: number }).seq),
  )
  await client.subscribeAsync(`imlma/v1/demo/${agent}/ack`, { qos: 1 })
  const publish = async (channel: string, payload: Uint8Array, retain = false) =>
    client.publishAsync(`imlma/v1/demo/${agent}/${channel}`, Buffer.from(payload), { qos: 1, retain })
  return { client, acks, publish }
}

describe('ingest inside the embedded broker', () => {
  let real: ReadingsStore
  let store: ReadingsStore
  let embedded: EmbeddedIngest
  const clients: MqttClient[] = []
  let isFull: boolean
  const failures: string[] = []

  const agentNamed = async (name?: string) => {
    const agent = await connectAgent(embedded.broker.url, name)
    clients.push(agent.client)
    return agent
  }

  beforeEach(async () => {
    isFull = false
    failures.length = 0
    real = createReadingsStore(':memory:')
    // The real store with a disk that can be full.
    store = {
      ...real,
      accept: (batches) => {
        if (isFull) throw new Failure('NO_SPACE', 'the disk is full', { retryable: true })
        return real.accept(batches)
      },
    }
    embedded = await startEmbeddedIngest(
      { store, now, onFailure: ({ code }) => failures.push(code) },
      { port: 0, foldIntervalMs: 5, retryDelayMs: 20 },
    )
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(async (client) => client.endAsync(true)))
    await embedded.close()
    real.close()
  })

  test('what is acknowledged is stored, and folded soon after', async () => {
    const agent = await agentNamed()
    await agent.publish('readings', toBatch(1))
    // PUBACK alone says it already.
    expect(real.acknowledged('demo', 'gw-1')).toBe(1)
    await vi.waitFor(() => expect(agent.acks).toEqual([1]))
    await vi.waitFor(() => expect(real.filled('demo', register, hour)).toBe(1))
  })

  test('one acknowledgement stands for all that arrived together', async () => {
    const agent = await agentNamed()
    await Promise.all(Array.from({ length: 50 }, async (_, i) => agent.publish('readings', toBatch(i + 1))))
    await vi.waitFor(() => expect(agent.acks.at(-1)).toBe(50))
    expect(agent.acks.length).toBeLessThan(50)
    expect(agent.acks).toEqual(agent.acks.toSorted((a, b) => a - b))
  })

  test('duplicates, batches out of order and a gap that never closes', async () => {
    const agent = await agentNamed()
    for (const seq of [1, 4, 3, 3]) await agent.publish('readings', toBatch(seq))
    await vi.waitFor(() => expect(agent.acks).toEqual([1, 1, 1, 1]))
    await agent.publish('readings', toBatch(5, { oldest: 3 }))
    await vi.waitFor(() => expect(agent.acks.at(-1)).toBe(5))
    expect(embedded.ingest.counters()).toMatchObject({ accepted: 4, duplicates: 1, readings: 4 })
    expect(real.coverage()).toMatchObject([{ lost: 1 }])
  })

  test('malformed readings are acknowledged, kept aside and counted', async () => {
    const agent = await agentNamed()
    await agent.publish('readings', Uint8Array.of(0xff))
    await agent.publish('readings', toBatch(1, { series: 'none' }))
    await agent.publish('readings', toBatch(2, { v: 9 }))
    await agent.publish('readings', toBatch(2_000))
    expect(embedded.ingest.counters().quarantined).toEqual({
      MALFORMED: 2,
      UNSUPPORTED_VERSION: 1,
      FROM_THE_FUTURE: 1,
    })
    expect(real.quarantined()).toEqual(embedded.ingest.counters().quarantined)
    await agent.publish('readings', toBatch(2))
    await vi.waitFor(() => expect(agent.acks.at(-1)).toBe(2))
  })

  test('an agent that is born learns what is stored', async () => {
    const agent = await agentNamed()
    await agent.publish('presence', presence('online'), true)
    await vi.waitFor(() => expect(agent.acks).toEqual([0]))
    await agent.publish('readings', toBatch(1))
    await agent.publish('presence', presence('offline'), true)
    await agent.publish('presence', presence('online'), true)
    await vi.waitFor(() => expect(agent.acks).toEqual([0, 1, 1]))
  })

  test('without space there is no PUBACK and no ack, the connection lives, and all comes again', async () => {
    const agent = await agentNamed()
    isFull = true
    let isPublished = false
    const published = agent.publish('readings', toBatch(1)).then(() => {
      isPublished = true
    })
    await vi.waitFor(() => expect(failures).toEqual(['NO_SPACE']))
    // Whatever else the agent has to say goes through on the same connection.
    await agent.publish('alarm', Uint8Array.of(1))
    expect([isPublished, agent.acks, agent.client.connected]).toEqual([false, [], true])
    expect(embedded.ingest.counters()).toMatchObject({ accepted: 0, notStored: 1, failing: true })
    isFull = false
    await published
    await vi.waitFor(() => expect(agent.acks.at(-1)).toBe(1))
    expect(embedded.ingest.counters()).toMatchObject({ accepted: 1, failing: false })
    expect(failures).toEqual(['NO_SPACE'])
  })
})

describe('ingest behind an outside broker', () => {
  test('stores, acknowledges and greets through an ordinary client', async () => {
    const store = createReadingsStore(':memory:')
    // Any broker; its PUBACK means nothing here.
    const broker = await createBroker(
      { onReadings: async () => undefined, onPresence: () => undefined },
      { port: 0 },
    )
    const client = createBrokerClient({ url: broker.url, clientId: 'coordinator:ingest' })
    const publishAck = async (agent: { site: string; agent: string }, payload: Uint8Array) =>
      client.publish('ack', agent, payload)
    const ingest = createIngest({ store, now, publishAck }, { foldIntervalMs: 5 })
    await subscribeIngest(client, ingest)
    const agent = await connectAgent(broker.url)
    await agent.publish('presence', presence('online'), true)
    await vi.waitFor(() => expect(agent.acks).toEqual([0]))
    await agent.publish('readings', toBatch(1))
    await vi.waitFor(() => expect(agent.acks.at(-1)).toBe(1))
    await agent.client.endAsync()
    await client.close()
    ingest.stop()
    await broker.close()
    expect(store.acknowledged('demo', 'gw-1')).toBe(1)
    store.close()
  })
})
