import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Failure } from '@imlma/protocol/result'
import { encodeJson, toTopic } from '@imlma/protocol/wire'
import { toDelayMs } from './backoff.ts'
import { parseBrokerUrl } from './broker-url.ts'
import { createMqttLink, type MqttLinkOptions } from './link.mqtt.ts'
import type { ControlMessage } from './link.ts'

const address = { site: 'demo', agent: 'gw-1' }
const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

/** A broker on a port of its own that can be cut, stopped and started again with its sessions. */
const startBroker = async () => {
  const broker = await Aedes.createBroker({ concurrency: 0 })
  const sockets = new Set<Socket>()
  let server: Server | undefined
  let port = 0
  const listen = async () => {
    server = createServer((socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      broker.handle(socket)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const stopListening = async () => {
    cut()
    await new Promise((resolve) => {
      server?.close(resolve)
    })
  }
  await listen()
  stops.push(async () => {
    await stopListening()
    await new Promise<void>((resolve) => broker.close(resolve))
  })
  return { broker, url: `mqtt://127.0.0.1:${port}`, cut, listen, stopListening }
}

const startLink = (broker: string, options: Partial<MqttLinkOptions> = {}) => {
  const link = createMqttLink(
    { now: Date.now, random: Math.random },
    {
      ...address,
      broker,
      presence: { bootId: 'boot-1', agentVersion: '0.1.0', capabilities: [] },
      reconnectDelayMsMin: 20,
      reconnectDelayMsMax: 50,
      ...options,
    },
  )
  stops.push(link.close)
  link.start()
  return link
}

const startWatcher = async (url: string, filter: string) => {
  const client: MqttClient = await connectAsync(url)
  stops.push(() => client.endAsync(true))
  const seen: { topic: string; text: string; retained: boolean }[] = []
  client.on('message', (topic, payload, { retain }) => {
    seen.push({ topic, text: payload.toString(), retained: retain })
  })
  await client.subscribeAsync(filter, { qos: 1 })
  return { client, seen }
}

const presenceStates = (seen: readonly { topic: string; text: string }[]): unknown[] =>
  seen
    .filter(({ topic }) => topic.endsWith('/presence'))
    .map(({ text }) => (JSON.parse(text) as { state: unknown }).state)

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'resolved',
    (cause: unknown) => (cause instanceof Failure ? cause.code : String(cause)),
  )

describe('link', () => {
  test('is online with a retained presence, and offline after it is closed', async () => {
    const { url } = await startBroker()
    const link = startLink(url)
    await vi.waitUntil(link.connected)
    const { seen } = await startWatcher(url, toTopic(address, 'presence'))
    await vi.waitUntil(() => seen.length === 1)
    expect(JSON.parse(seen[0]?.text ?? '')).toMatchObject({ v: 1, state: 'online', bootId: 'boot-1' })
    expect(seen[0]?.retained).toBe(true)
    await link.close()
    await vi.waitUntil(() => seen.length === 2)
    expect(presenceStates(seen)).toEqual(['online', 'offline'])
    expect(link.connected()).toBe(false)
  })

  test('asks for its certificate at every connect, and comes again for another one', async () => {
    const { url } = await startBroker()
    const { seen } = await startWatcher(url, toTopic(address, 'presence'))
    let asked = 0
    const tls = () => ({ ca: `certificate ${(asked += 1)}` })
    const link = startLink(url, { tls })
    await vi.waitUntil(link.connected)
    const sent = link.publish('report', encodeJson({}))
    link.reconnect()
    // What is on its way is answered for, one way or the other.
    expect(['resolved', 'LINK_DOWN']).toContain(await codeOf(sent))
    await vi.waitUntil(() => link.reconnects() === 1)
    expect(asked).toBe(2)
    await vi.waitUntil(() => seen.length >= 3)
    expect(presenceStates(seen)).toEqual(['online', 'offline', 'online'])
  })

  test('does not wait out its delay where another certificate is there', async () => {
    const { url, stopListening, listen } = await startBroker()
    const slow = { reconnectDelayMsMin: 60_000, reconnectDelayMsMax: 60_000 }
    const link = startLink(url, slow)
    await vi.waitUntil(link.connected)
    await stopListening()
    await vi.waitUntil(() => !link.connected())
    await listen()
    link.reconnect()
    await vi.waitUntil(link.connected)
    await link.close()
    link.reconnect()
    expect(link.connected()).toBe(false)
  })

  test('is offline by its last will when the connection breaks, and comes back by itself', async () => {
    const { url, broker } = await startBroker()
    const { seen } = await startWatcher(url, toTopic(address, 'presence'))
    const link = startLink(url)
    await vi.waitUntil(link.connected)
    await vi.waitUntil(() => seen.length === 1)
    const [mine] = Object.values(
      (broker as unknown as { clients: Record<string, { id: string; conn: Socket }> }).clients,
    ).filter(({ id }) => id === 'agent:demo:gw-1')
    mine?.conn.destroy()
    await vi.waitUntil(() => seen.length === 3)
    expect(presenceStates(seen)).toEqual(['online', 'offline', 'online'])
    expect(link.reconnects()).toBe(1)
  })

  test('hands on its own acknowledgements, assignments, chunks and commands, and the group’s commands', async () => {
    const { url } = await startBroker()
    const link = startLink(url)
    const heard: [string, string | undefined, string][] = []
    for (const channel of ['ack', 'desired', 'chunk', 'command'] as const) {
      link.on(channel, ({ id, payload }) => {
        heard.push([channel, id, new TextDecoder().decode(payload)])
      })
    }
    await vi.waitUntil(link.connected)
    const { client } = await startWatcher(url, 'nothing')
    const all = { site: 'demo', agent: '_all' }
    const other = { site: 'demo', agent: 'gw-2' }
    await client.publishAsync(toTopic(other, 'ack'), 'other', { qos: 1 })
    await client.publishAsync(toTopic(all, 'desired'), 'other', { qos: 1 })
    await client.publishAsync(toTopic(address, 'ack'), 'a', { qos: 1 })
    await client.publishAsync(toTopic(address, 'desired'), 'b', { qos: 1 })
    await client.publishAsync(toTopic(address, 'chunk', 'r1'), 'c', { qos: 1 })
    await client.publishAsync(toTopic(address, 'command', 'c1'), 'd', { qos: 1 })
    await client.publishAsync(toTopic(all, 'command', 'c2'), 'e', { qos: 1 })
    await vi.waitUntil(() => heard.length === 5)
    expect(heard).toEqual([
      ['ack', undefined, 'a'],
      ['desired', undefined, 'b'],
      ['chunk', 'r1', 'c'],
      ['command', 'c1', 'd'],
      ['command', 'c2', 'e'],
    ])
  })

  test('tells a stored message from a new one', async () => {
    const { url } = await startBroker()
    const { client } = await startWatcher(url, 'nothing')
    await client.publishAsync(toTopic(address, 'command', 'old'), 'x', { qos: 1, retain: true })
    const link = startLink(url)
    const heard: ControlMessage[] = []
    link.on('command', (message) => void heard.push(message))
    await vi.waitUntil(() => heard.length === 1)
    await client.publishAsync(toTopic(address, 'command', 'new'), 'x', { qos: 1 })
    await vi.waitUntil(() => heard.length === 2)
    expect(heard.map(({ id, retained }) => [id, retained])).toEqual([
      ['old', true],
      ['new', false],
    ])
  })

  test('receives what was sent to it while it was away', async () => {
    const { url, cut } = await startBroker()
    const link = startLink(url, { reconnectDelayMsMin: 300, reconnectDelayMsMax: 300 })
    const heard: string[] = []
    link.on('ack', ({ payload }) => void heard.push(new TextDecoder().decode(payload)))
    await vi.waitUntil(link.connected)
    cut()
    await vi.waitUntil(() => !link.connected())
    const { client } = await startWatcher(url, 'nothing')
    await client.publishAsync(toTopic(address, 'ack'), 'while away', { qos: 1 })
    expect(link.connected()).toBe(false)
    await vi.waitUntil(() => heard.length === 1)
    expect(heard).toEqual(['while away'])
  })

  test('refuses to publish while there is no connection, instead of storing', async () => {
    const { url, stopListening, listen } = await startBroker()
    const link = startLink(url)
    await vi.waitUntil(link.connected)
    await stopListening()
    await vi.waitUntil(() => !link.connected())
    expect(await codeOf(link.publish('alarm', encodeJson({})))).toBe('LINK_DOWN')
    await listen()
    await vi.waitUntil(link.connected)
    expect(await codeOf(link.publish('alarm', encodeJson({})))).toBe('resolved')
  })

  test('the latest report goes out at the next connect', async () => {
    const { url } = await startBroker()
    const { seen } = await startWatcher(url, toTopic(address, 'reported'))
    const link = startLink(url)
    link.publishLatest('reported', encodeJson({ n: 1 }))
    link.publishLatest('reported', encodeJson({ n: 2 }))
    await vi.waitUntil(() => seen.length > 0)
    expect(seen.map(({ text }) => text)).toEqual(['{"n":2}'])
    link.publishLatest('reported', encodeJson({ n: 3 }))
    await vi.waitUntil(() => seen.at(-1)?.text === '{"n":3}')
  })

  test('the latest report goes out in the end when the broker was too busy for it', async () => {
    const { broker, url } = await startBroker()
    const held: (() => void)[] = []
    broker.authorizePublish = (_client, { topic }, done) => {
      if (topic.endsWith('/readings')) held.push(() => done(null))
      else done(null)
    }
    const { seen } = await startWatcher(url, toTopic(address, 'reported'))
    const link = startLink(url, { inFlightMax: 1, waitingMax: 0 })
    await vi.waitUntil(link.connected)
    // Presence goes first: a place is free when the broker has it.
    const reading = vi.waitUntil(
      async () => (await codeOf(link.publish('readings', Uint8Array.of(1)))) === 'resolved',
    )
    await vi.waitUntil(() => held.length === 1)
    link.publishLatest('reported', encodeJson({ n: 1 }))
    link.publishLatest('reported', encodeJson({ n: 2 }))
    expect(await codeOf(link.publish('alarm', encodeJson({})))).toBe('LINK_BUSY')
    expect(seen).toEqual([])
    held[0]?.()
    await reading
    await vi.waitUntil(() => seen.length > 0)
    expect(seen.map(({ text }) => text)).toEqual(['{"n":2}'])
    expect(link.reconnects()).toBe(0)
  })

  test('a report after the end of a connection waits for the next, and is not tried in between', async () => {
    const { url } = await startBroker()
    let draws = 0
    const link = createMqttLink(
      // Every wait before another try draws a number.
      { now: Date.now, random: () => (draws += 1) && 0.5 },
      { ...address, broker: url, presence: { bootId: 'b', agentVersion: '0', capabilities: [] } },
    )
    link.start()
    await vi.waitUntil(link.connected)
    await link.close()
    link.publishLatest('reported', encodeJson({ n: 1 }))
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(draws).toBe(0)
  })

  test('a broker that acknowledges nothing is left, and its packets are refused', async () => {
    const { broker, url } = await startBroker()
    const held: (() => void)[] = []
    broker.authorizePublish = (_client, { topic }, done) => {
      if (topic.endsWith('/readings')) held.push(() => done(null))
      else done(null)
    }
    const link = startLink(url, { pubackTimeoutMs: 100, inFlightMax: 2, waitingMax: 1 })
    await vi.waitUntil(link.connected)
    const codes = Array.from({ length: 4 }, () => codeOf(link.publish('readings', Uint8Array.of(1))))
    expect(await Promise.all(codes)).toEqual(['LINK_DOWN', 'LINK_DOWN', 'LINK_DOWN', 'LINK_BUSY'])
    expect(held.length).toBeLessThanOrEqual(2)
    await vi.waitUntil(() => link.reconnects() > 0 && link.connected())
  })

  test('a broker that is not there is asked again until it is', async () => {
    const { url, stopListening, listen } = await startBroker()
    await stopListening()
    const causes: unknown[] = []
    const link = createMqttLink(
      { now: Date.now, random: Math.random, onEnd: (cause) => void causes.push(cause) },
      {
        ...address,
        broker: url,
        presence: { bootId: 'b', agentVersion: '0', capabilities: [] },
        reconnectDelayMsMin: 10,
        reconnectDelayMsMax: 20,
      },
    )
    stops.push(link.close)
    link.start()
    await vi.waitUntil(() => causes.length >= 3)
    expect(String(causes[0])).toContain('ECONNREFUSED')
    await listen()
    await vi.waitUntil(link.connected)
  })

  test('a plain connection to another machine is refused before it is tried', () => {
    const create = () =>
      createMqttLink(
        { now: Date.now, random: Math.random },
        {
          ...address,
          broker: 'mqtt://broker.example',
          presence: { bootId: 'b', agentVersion: '0', capabilities: [] },
        },
      )
    expect(create).toThrow(expect.objectContaining({ code: 'PLAIN_MQTT', retryable: false }))
  })
})

describe('the address of a broker', () => {
  test.each([
    ['mqtt://127.0.0.1:1883', 'plain'],
    ['mqtt://localhost', 'plain'],
    ['mqtt://[::1]:1883', 'plain'],
    ['mqtts://broker.example:8883', 'encrypted'],
    ['mqtt://192.168.1.5:1883', 'PLAIN_MQTT'],
    ['mqtt://127.0.0.1.broker.example', 'PLAIN_MQTT'],
    ['mqtt://localhost.example', 'PLAIN_MQTT'],
    ['ws://broker.example', 'PLAIN_MQTT'],
    ['http://127.0.0.1', 'BAD_BROKER_URL'],
    ['127.0.0.1:1883', 'BAD_BROKER_URL'],
    ['', 'BAD_BROKER_URL'],
  ])('%s is %s', (text, expected) => {
    const parsed = parseBrokerUrl(text)
    const verdict = parsed.ok ? (parsed.value.encrypted ? 'encrypted' : 'plain') : parsed.refusal.code
    expect(verdict).toBe(expected)
  })
})

describe('waiting before a reconnect', () => {
  test('doubles up to its bound and spreads over half of it', () => {
    const backoff = { delayMsMin: 500, delayMsMax: 15_000 }
    const at = (attempt: number, random: number) => toDelayMs(attempt, backoff, () => random)
    expect([0, 1, 2, 5, 1_000].map((attempt) => at(attempt, 1))).toEqual([500, 1_000, 2_000, 15_000, 15_000])
    expect(at(1, 0)).toBe(500)
  })
})
