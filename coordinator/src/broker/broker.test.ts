import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { connect, connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createBroker } from './broker.aedes.ts'
import type { Broker } from './broker.ts'
import { createBrokerClient } from './client.mqtt.ts'

const own = 'imlma/v1/demo/gw-1'

describe('the embedded broker', () => {
  let broker: Broker
  const clients: MqttClient[] = []
  const readings: string[] = []
  const diverted: string[] = []

  beforeEach(async () => {
    readings.length = 0
    diverted.length = 0
    broker = await createBroker(
      {
        onReadings: async ({ agent }) => void readings.push(agent),
        onPresence: () => undefined,
        onQuarantine: (client, topic, code) => diverted.push(`${client} ${topic} ${code}`),
      },
      { port: 0 },
    )
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(async (client) => client.endAsync(true)))
    await broker.close()
  })

  const connectAs = async (clientId: string, options: IClientOptions = {}) => {
    const client = await connectAsync(broker.url, {
      clientId,
      protocolVersion: 4,
      reconnectPeriod: 0,
      ...options,
    })
    clients.push(client)
    return client
  }
  const listen = async (client: MqttClient, filter: string) => {
    const heard: string[] = []
    client.on('message', (topic, payload, { retain }) =>
      heard.push(`${topic} ${payload.toString()}${retain ? ' retained' : ''}`),
    )
    await client.subscribeAsync(filter, { qos: 1 })
    return heard
  }

  test('an agent that publishes as another is acknowledged, heard by nobody, and stays connected', async () => {
    const agent = await connectAs('agent:demo:gw-1')
    const heard = await listen(await connectAs('watcher'), '#')
    await agent.publishAsync('imlma/v1/demo/gw-2/readings', 'false', { qos: 1 })
    await agent.publishAsync('imlma/v1/demo/gw-2/presence', 'false', { qos: 1, retain: true })
    await agent.publishAsync(`${own}/desired`, 'false', { qos: 1, retain: true })
    await agent.publishAsync('$SYS/anything', 'false', { qos: 1 })
    await agent.publishAsync('a/b/c/d/e/f/g/h/i/j', 'false', { qos: 1 })
    await agent.publishAsync(`${own}/alarm`, 'true', { qos: 1 })
    await vi.waitFor(() => expect(heard).toEqual([`${own}/alarm true`]))
    expect(agent.connected).toBe(true)
    expect(readings).toEqual([])
    expect(broker.counters().quarantined).toEqual({ FOREIGN_TOPIC: 3, UNKNOWN_TOPIC: 2 })
    expect(diverted[0]).toBe('agent demo/gw-1 imlma/v1/demo/gw-2/readings FOREIGN_TOPIC')
    // Nothing forbidden was retained either.
    const later = await listen(await connectAs('late-watcher'), '#')
    await agent.publishAsync(`${own}/alarm`, 'again', { qos: 1 })
    await vi.waitFor(() => expect(later).toEqual([`${own}/alarm again`]))
  })

  test('a retained command reaches its agent as retained, and is not kept for anybody', async () => {
    const agent = await connectAs('agent:demo:gw-1')
    const other = await connectAs('agent:demo:gw-2')
    const flags: [string, boolean][] = []
    for (const client of [agent, other]) {
      client.on('message', (topic, _payload, { retain }) => flags.push([topic, retain]))
    }
    await agent.subscribeAsync(`${own}/command/+`, { qos: 1 })
    await other.subscribeAsync('imlma/v1/demo/gw-2/command/+', { qos: 1 })
    const technician = await connectAs('laptop')
    await technician.publishAsync(`${own}/command/c-1`, 'kept', { qos: 1, retain: true })
    await technician.publishAsync(`${own}/command/c-2`, 'once', { qos: 1 })
    await vi.waitFor(() =>
      expect(flags).toEqual([
        [`${own}/command/c-1`, true],
        [`${own}/command/c-2`, false],
      ]),
    )
    expect(broker.counters().quarantined).toEqual({ RETAINED: 1 })
    const late = await listen(technician, `${own}/command/+`)
    await technician.publishAsync(`${own}/command/c-3`, 'last', { qos: 1 })
    await vi.waitFor(() => expect(late).toEqual([`${own}/command/c-3 last`]))
  })

  test('an agent hears only what is meant for it', async () => {
    const agent = await connectAs('agent:demo:gw-1')
    const granted = await Promise.allSettled([
      agent.subscribeAsync('imlma/v1/demo/gw-2/ack', { qos: 1 }),
      agent.subscribeAsync('imlma/v1/demo/+/command/+', { qos: 1 }),
      agent.subscribeAsync('$SYS/#', { qos: 1 }),
      agent.subscribeAsync('imlma/v1/demo/_all/command/+', { qos: 1 }),
    ])
    expect(granted.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled'])
    expect(broker.counters().subscriptionsRefused).toBe(3)
  })

  test('a client whose id names no agent is refused', async () => {
    await expect(connectAs('agent:demo')).rejects.toThrow(/not authorized/i)
    expect(broker.counters()).toMatchObject({ identitiesRefused: 1, clients: 0 })
  })

  test('a packet of 2 MB ends its connection and nothing else', async () => {
    const agent = await connectAs('agent:demo:gw-1')
    const other = await connectAs('agent:demo:gw-2')
    const closed = new Promise((resolve) => {
      agent.once('close', () => resolve(true))
    })
    agent.publish(`${own}/readings`, Buffer.alloc(2_000_000), { qos: 1 }, () => undefined)
    expect(await closed).toBe(true)
    expect(broker.counters().packetsCut).toBe(1)
    await other.publishAsync('imlma/v1/demo/gw-2/readings', Buffer.alloc(900_000), { qos: 1 })
    expect(readings).toEqual(['gw-2'])
  })

  test('a last will is bound by the same rules', async () => {
    const watcher = await connectAs('watcher')
    const heard = await listen(watcher, 'imlma/v1/#')
    const will = (topic: string) => ({
      will: { topic, payload: Buffer.from('gone'), qos: 1 as const, retain: true },
    })
    const honest = await connectAs('agent:demo:gw-1', will(`${own}/presence`))
    const other = await connectAs('agent:demo:gw-2', will(`${own}/presence`))
    other.stream.destroy()
    await vi.waitFor(() => expect(broker.counters().quarantined).toEqual({ FOREIGN_TOPIC: 1 }))
    honest.stream.destroy()
    await vi.waitFor(() => expect(heard).toEqual([`${own}/presence gone`]))
  })

  test('a command waits for an agent that is away, a watcher has no session', async () => {
    const topic = `${own}/command/c-1`
    for (const id of ['agent:demo:gw-1', 'watcher']) {
      const client = await connectAs(id, { clean: false })
      await client.subscribeAsync(topic, { qos: 1 })
      await client.endAsync()
    }
    await (await connectAs('laptop')).publishAsync(topic, 'later', { qos: 1 })
    const heard: string[] = []
    const back = (id: string) => {
      const client = connect(broker.url, {
        clientId: id,
        protocolVersion: 4,
        clean: false,
        reconnectPeriod: 0,
      })
      clients.push(client)
      client.on('message', (_topic, payload) => heard.push(`${id} ${payload.toString()}`))
      return new Promise<boolean>((resolve) => {
        client.once('connect', ({ sessionPresent }) => resolve(sessionPresent))
      })
    }
    expect([await back('watcher'), await back('agent:demo:gw-1')]).toEqual([false, true])
    await vi.waitFor(() => expect(heard).toEqual(['agent:demo:gw-1 later']))
  })

  test('what waits for an agent is bounded, and an agent that is there is not', async () => {
    const id = 'agent:demo:gw-1'
    const address = { site: 'demo', agent: 'gw-1' }
    const publish = async (from: number, to: number) => {
      for (let n = from; n < to; n++) await broker.publish('ack', address, Buffer.from(String(n)))
    }
    const agent = await connectAs(id, { clean: false })
    const heard: string[] = []
    agent.on('message', (_topic, payload) => heard.push(payload.toString()))
    await agent.subscribeAsync(`${own}/ack`, { qos: 1 })
    for (let n = 0; n < 2_500; n += 500) {
      await publish(n, n + 500)
      await vi.waitFor(() => expect(heard).toHaveLength(n + 500))
    }
    await agent.endAsync()
    await publish(0, 1_200)
    const back = connect(broker.url, { clientId: id, protocolVersion: 4, clean: false, reconnectPeriod: 0 })
    clients.push(back)
    const later: string[] = []
    back.on('message', (_topic, payload) => later.push(payload.toString()))
    await vi.waitFor(() => expect(later).toHaveLength(1_000))
    await publish(2_000, 2_001)
    await vi.waitFor(() => expect(later.at(-1)).toBe('2000'))
    expect(later).toHaveLength(1_001)
    expect(back.connected).toBe(true)
  })

  test('a taken port is named, with the option that changes it', async () => {
    await expect(createBrokerOn(broker.port)).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      hint: expect.stringContaining('--mqtt-port'),
    })
    await expect(createBrokerOn(0, '0.0.0.0')).rejects.toMatchObject({ code: 'NOT_LOOPBACK' })
  })
})

const createBrokerOn = async (port: number, host = '127.0.0.1') =>
  createBroker({ onReadings: async () => undefined, onPresence: () => undefined }, { port, host })

describe('the broker client', () => {
  test('hears every agent of a channel, the retained messages first', async () => {
    const broker = await createBrokerOn(0)
    const agent = await connectAsync(broker.url, { clientId: 'agent:demo:gw-1', protocolVersion: 4 })
    await agent.publishAsync(`${own}/reported`, 'state', { qos: 1, retain: true })
    const client = createBrokerClient({ url: broker.url, clientId: 'coordinator:test' })
    const heard: string[] = []
    await client.subscribe('reported', ({ site, agent: name, payload, retained }) => {
      heard.push(`${site} ${name} ${Buffer.from(payload).toString()} ${retained}`)
    })
    await vi.waitFor(() => expect(heard).toEqual(['demo gw-1 state true']))
    await agent.publishAsync(`${own}/reported`, 'next', { qos: 1, retain: true })
    await vi.waitFor(() => expect(heard[1]).toBe('demo gw-1 next false'))
    await agent.endAsync()
    await client.close()
    await broker.close()
  })

  test('comes back after the broker was away, subscribed again', async () => {
    const first = await createBrokerOn(0)
    const client = createBrokerClient({ url: first.url, clientId: 'coordinator:test' })
    const heard: string[] = []
    let connects = 0
    client.onConnect(() => (connects += 1))
    await client.subscribe('alarm', ({ payload }) => heard.push(Buffer.from(payload).toString()))
    await vi.waitFor(() => expect(connects).toBe(1))
    await first.close()
    await vi.waitFor(() => expect(client.connected()).toBe(false))
    await expect(
      client.publish('ack', { site: 'demo', agent: 'gw-1' }, new Uint8Array()),
    ).rejects.toMatchObject({
      code: 'BROKER_UNREACHABLE',
      retryable: true,
    })
    const second = await createBrokerOn(first.port)
    await vi.waitFor(() => expect(connects).toBe(2), { timeout: 5_000 })
    const agent = await connectAsync(second.url, { clientId: 'agent:demo:gw-1', protocolVersion: 4 })
    await agent.publishAsync(`${own}/alarm`, 'early', { qos: 1 })
    await vi.waitFor(() => expect(heard).toEqual(['early']))
    await agent.endAsync()
    await client.close()
    await second.close()
  })

  test('waits for a broker that is not there yet', async () => {
    const reserved = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => {
      reserved.once('listening', resolve)
    })
    const { port } = reserved.address() as AddressInfo
    await new Promise((resolve) => {
      reserved.close(resolve)
    })
    const client = createBrokerClient({ url: `mqtt://127.0.0.1:${port}`, clientId: 'coordinator:test' })
    const subscribed = client.subscribe('alarm', () => undefined)
    const broker = await createBrokerOn(port)
    await subscribed
    expect(client.connected()).toBe(true)
    await client.close()
    await broker.close()
  })

  test('carries nothing in the clear to another machine', () => {
    expect(() => createBrokerClient({ url: 'mqtt://broker.example', clientId: 'coordinator:test' })).toThrow(
      expect.objectContaining({ code: 'INSECURE_URL' }),
    )
  })
})
