import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import { connect, connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TlsMaterial } from '../trust/pki/index.ts'
import { createBroker, type BrokerOptions } from './broker.aedes.ts'
import type { Broker } from './broker.ts'
import { createBrokerClient, type BrokerConnection } from './client.mqtt.ts'
import type { Incident } from './incidents.ts'
import {
  agentNamed,
  createCertifiedSite,
  type CertifiedSite,
  type Shown,
} from './testing/certified-site.fs.ts'

const own = 'imlma/v1/demo/gw-1'

let site: CertifiedSite
let foreign: CertifiedSite
let gw1: Shown
let gw2: Shown
let control: Shown
beforeAll(async () => {
  site = await createCertifiedSite()
  foreign = await createCertifiedSite()
  gw1 = await site.show(agentNamed('gw-1'))
  gw2 = await site.show(agentNamed('gw-2'))
  control = await site.show({ kind: 'coordinator', name: '_control' })
})
afterAll(async () => {
  await site.remove()
  await foreign.remove()
})

let broker: Broker
const readings: string[] = []
const clients: MqttClient[] = []
const connections: BrokerConnection[] = []
const sockets: (Socket | TLSSocket)[] = []

const start = async (options: Partial<BrokerOptions> = {}): Promise<void> => {
  broker = await createBroker(
    { onReadings: async ({ agent }) => void readings.push(agent), onPresence: () => undefined },
    {
      port: 0,
      certified: { host: '127.0.0.1', port: 0, material: site.broker, denied: site.denied },
      ...options,
    },
  )
}
beforeEach(async () => {
  readings.length = 0
  await start()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)))
  await Promise.all(connections.splice(0).map((connection) => connection.close()))
  await broker.close()
})

/** Rejects also where the connection is simply closed, as TLS 1.3 does with a certificate that the other side refuses. */
const connectWith = (
  { ca, cert, key }: TlsMaterial,
  clientId: string,
  options: IClientOptions & { readonly secureProtocol?: string } = {},
): Promise<MqttClient> => {
  const client = connect(String(broker.certifiedUrl), {
    ca,
    cert,
    key,
    clientId,
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  })
  clients.push(client)
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client))
    client.on('error', reject)
    client.once('close', () => reject(new Error('connection closed')))
  })
}
const connectPlain = async (clientId: string, options: IClientOptions = {}): Promise<MqttClient> => {
  const client = await connectAsync(broker.url, {
    clientId,
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  })
  clients.push(client)
  return client
}
const asGw1 = (options: IClientOptions = {}) => connectWith(gw1, 'agent:demo:gw-1', options)
const closing = (client: MqttClient) =>
  new Promise((resolve) => void client.once('close', () => resolve(true)))

const hearIncidents = (): Incident[] => {
  const heard: Incident[] = []
  const connection = createBrokerClient({
    url: String(broker.certifiedUrl),
    clientId: 'coordinator:demo',
    tls: async () => control,
  })
  connections.push(connection)
  connection.onIncident((incident) => heard.push(incident))
  return heard
}
const hear = async (client: MqttClient, filter: string): Promise<string[]> => {
  const heard: string[] = []
  client.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString()}`))
  await client.subscribeAsync(filter, { qos: 1 })
  return heard
}
/** An MQTT packet as bytes. */
const packet = (type: number, ...body: readonly (number | Buffer)[]): Buffer => {
  const bytes = Buffer.concat(body.map((part) => (typeof part === 'number' ? Buffer.of(part) : part)))
  const length: number[] = []
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    length.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
    if (rest < 128) break
  }
  return Buffer.concat([Buffer.of(type, ...length), bytes])
}
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
const hello = (clientId: string): Buffer => packet(0x10, text('MQTT'), 4, 2, 0, 60, text(clientId))
/** Connected and acknowledged, byte by byte. */
const rawGw1 = async (): Promise<TLSSocket> => {
  const { ca, cert, key } = gw1
  const socket = connectTls({
    host: '127.0.0.1',
    port: Number(new URL(String(broker.certifiedUrl)).port),
    ca,
    cert,
    key,
  })
  sockets.push(socket)
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  socket.write(hello('agent:demo:gw-1'))
  await once(socket, 'data')
  return socket
}

describe('a client with a certificate', () => {
  test('speaks and listens in its own name', async () => {
    const agent = await asGw1()
    const heard = await hear(agent, `${own}/ack`)
    await agent.publishAsync(`${own}/readings`, 'bytes', { qos: 1 })
    await broker.publish('ack', { site: 'demo', agent: 'gw-1' }, Buffer.from('1'))
    await vi.waitFor(() => expect(heard).toEqual([`${own}/ack 1`]))
    expect(readings).toEqual(['gw-1'])
  })

  test('is quarantined and told of when it speaks as another, and stays connected', async () => {
    const heard = hearIncidents()
    const agent = await asGw1()
    const watched = await hear(await connectWith(control, 'coordinator:watch'), 'imlma/v1/#')
    const topics = [
      'imlma/v1/demo/gw-2/readings',
      'imlma/v1/other/gw-1/readings',
      `${own}/desired`,
      `${own}/command/c-1`,
      '__proto__/constructor',
      'imlma/v1/demo/gw-1/__proto__',
      '$SYS/broker',
      '$imlma/incident/0',
    ]
    for (const topic of topics) await agent.publishAsync(topic, 'false', { qos: 1, retain: true })
    await agent.publishAsync(`${own}/alarm`, 'true', { qos: 1 })
    await vi.waitFor(() => expect(watched).toEqual([`${own}/alarm true`]))
    expect(agent.connected).toBe(true)
    expect(readings).toEqual([])
    expect(broker.counters().quarantined).toEqual({ FOREIGN_TOPIC: 4, UNKNOWN_TOPIC: 4 })
    await vi.waitFor(() => expect(heard).toHaveLength(2))
    expect(heard).toEqual([
      expect.objectContaining({
        code: 'FOREIGN_TOPIC',
        client: 'agent demo/gw-1',
        agent: 'gw-1',
        detail: 'imlma/v1/demo/gw-2/readings',
        count: 1,
      }),
      expect.objectContaining({ code: 'UNKNOWN_TOPIC', agent: 'gw-1' }),
    ])
  })

  test.each([
    ['another agent’s', 'agent:demo:gw-2'],
    ['another site’s', 'agent:other:gw-1'],
    ['the coordinator’s', 'coordinator:demo'],
    ['a technician’s', 'laptop'],
    ['none at all', ''],
    ['a name of JavaScript', '__proto__'],
  ])('is cut when its client id is %s', async (_whose, clientId) => {
    const heard = hearIncidents()
    await expect(connectWith(gw1, clientId)).rejects.toThrow(/not authorized|closed/i)
    await vi.waitFor(() => expect(heard).toMatchObject([{ code: 'BAD_IDENTITY', agent: 'gw-1' }]))
    expect(broker.counters()).toMatchObject({ identitiesRefused: 1 })
  })

  test('is taken over by its newer connection', async () => {
    const older = await asGw1()
    const closed = closing(older)
    const newer = await asGw1()
    expect(await closed).toBe(true)
    await newer.publishAsync(`${own}/readings`, 'bytes', { qos: 1 })
    expect(readings).toEqual(['gw-1'])
  })

  test('may not connect for ever, again and again', async () => {
    await broker.close()
    await start({ connectsBurst: 2, connectsPerSecond: 0.001 })
    await (await asGw1()).endAsync()
    await (await asGw1()).endAsync()
    await expect(asGw1()).rejects.toThrow(/unavailable|closed/i)
    expect((await connectWith(gw2, 'agent:demo:gw-2')).connected).toBe(true)
    expect(broker.counters().connectsRefused).toBe(1)
  })

  test('leaves no last will in another’s name', async () => {
    const will = (topic: string) => ({
      will: { topic, payload: Buffer.from('gone'), qos: 1 as const, retain: true },
    })
    const watched = await hear(await connectWith(control, 'coordinator:watch'), 'imlma/v1/#')
    const agent = await asGw1(will('imlma/v1/demo/gw-2/presence'))
    const deep = await connectWith(gw2, 'agent:demo:gw-2', will('a/'.repeat(1_000)))
    agent.stream.destroy()
    deep.stream.destroy()
    await vi.waitFor(() =>
      expect(broker.counters().quarantined).toEqual({ FOREIGN_TOPIC: 1, UNKNOWN_TOPIC: 1 }),
    )
    const last = await asGw1(will(`${own}/presence`))
    last.stream.destroy()
    await vi.waitFor(() => expect(watched).toEqual([`${own}/presence gone`]))
  })

  test('gets nothing later that it was refused, whatever else it asked for with it', async () => {
    const sneaky = await asGw1({ clean: false })
    const granted = await sneaky
      .subscribeAsync([`${own}/ack`, 'imlma/v1/demo/gw-2/ack', '#'], { qos: 1 })
      .catch(() => undefined)
    expect(granted).toBeUndefined()
    await sneaky.endAsync()
    const publish = async (agent: string, said: string) =>
      broker.publish('ack', { site: 'demo', agent }, Buffer.from(said))
    await publish('gw-2', 'not for you')
    await publish('gw-1', 'for you')
    const heard: string[] = []
    const back = await connectAsync(String(broker.certifiedUrl), {
      ...gw1,
      clientId: 'agent:demo:gw-1',
      protocolVersion: 4,
      clean: false,
      reconnectPeriod: 0,
      manualConnect: false,
    })
    clients.push(back)
    back.on('message', (_topic, payload) => heard.push(payload.toString()))
    await publish('gw-2', 'not for you either')
    await publish('gw-1', 'again')
    await vi.waitFor(() => expect(heard.at(-1)).toBe('again'))
    expect(heard.filter((said) => said.startsWith('not'))).toEqual([])
  })

  test('has a bounded number of subscriptions', async () => {
    const agent = await asGw1()
    const filters = Array.from({ length: 100 }, (_, index) => `${own}/x/${index}`)
    const outcomes = await Promise.allSettled(
      filters.map((filter) => agent.subscribeAsync(filter, { qos: 1 })),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(64)
    expect(broker.counters().subscriptionsRefused).toBe(36)
  })
})

describe('a certificate that is not to be believed', () => {
  test('of a foreign authority opens nothing, and is told of', async () => {
    const heard = hearIncidents()
    const stranger = await foreign.show(agentNamed('gw-1'))
    await expect(connectWith({ ...stranger, ca: gw1.ca }, 'agent:demo:gw-1')).rejects.toThrow(
      /closed|not authorized|ECONNRESET|alert|socket/i,
    )
    await vi.waitFor(() =>
      expect(heard).toMatchObject([
        { code: 'BAD_CERTIFICATE', client: '127.0.0.1', detail: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
      ]),
    )
    expect(broker.counters()).toMatchObject({ handshakesFailed: 1 })
  })

  test('and none at all opens nothing', async () => {
    const { certifiedUrl } = broker
    const given = { ca: gw1.ca, clientId: 'agent:demo:gw-1', reconnectPeriod: 0 }
    await expect(connectAsync(String(certifiedUrl), given)).rejects.toThrow(
      /closed|not authorized|ECONNRESET|alert|socket/i,
    )
    expect(broker.counters().handshakesFailed).toBe(1)
  })

  test('has run out', async () => {
    const old = await site.show(agentNamed('gw-1'), { issuedAt: Date.now() - 7_200_000 })
    await expect(connectWith(old, 'agent:demo:gw-1')).rejects.toThrow(
      /closed|not authorized|ECONNRESET|alert|socket/i,
    )
    expect(broker.counters().handshakesFailed).toBe(1)
  })

  test('is of a part that sends nothing', async () => {
    await expect(connectWith(site.broker, 'agent:demo:broker')).rejects.toThrow(
      /closed|not authorized|ECONNRESET|alert|socket/i,
    )
    expect(broker.counters().identitiesRefused).toBe(1)
  })

  test('ends the open connection within a second of its denial, and opens no other', async () => {
    const heard = hearIncidents()
    const shown = await site.show(agentNamed('gw-3'))
    const agent = await connectWith(shown, 'agent:demo:gw-3')
    const other = await asGw1()
    const closed = closing(agent)
    const deniedAt = performance.now()
    await site.authority.deny(shown.serial, 'stolen')
    expect(await closed).toBe(true)
    expect(performance.now() - deniedAt).toBeLessThan(1_000)
    await expect(connectWith(shown, 'agent:demo:gw-3')).rejects.toThrow(
      /closed|not authorized|ECONNRESET|alert|socket/i,
    )
    await vi.waitFor(() => expect(heard).toMatchObject([{ code: 'DENIED', agent: 'gw-3' }]))
    expect(other.connected).toBe(true)
    expect(broker.counters().shownOut).toBe(2)
  })

  test('ends the open connection when it runs out', async () => {
    const shown = await site.show(agentNamed('gw-4'), { validityMs: 2_500 })
    const agent = await connectWith(shown, 'agent:demo:gw-4')
    expect(await closing(agent)).toBe(true)
  })

  test('is asked for with TLS 1.3 and nothing older', async () => {
    const { ca, cert, key } = gw1
    await expect(
      connectWith({ ca, cert, key }, 'agent:demo:gw-1', { secureProtocol: 'TLSv1_2_method' }),
    ).rejects.toThrow(/version/i)
    expect(broker.counters()).toMatchObject({ handshakesFailed: 1, clients: 0 })
  })
})

describe('a plain client of a site with certificates', () => {
  test.each(['agent:demo:gw-1', 'coordinator:control', 'agent:demo'])('is not %s', async (clientId) => {
    await expect(connectPlain(clientId)).rejects.toThrow(/not authorized/i)
  })

  test('passes on commands and watches what agents say, and nothing else', async () => {
    const guest = await connectPlain('laptop')
    const agent = await asGw1()
    const commands = await hear(agent, `${own}/command/+`)
    await guest.publishAsync(`${own}/command/c-1`, 'signed', { qos: 1 })
    for (const channel of ['readings', 'presence', 'ack', 'desired', 'result/c-1']) {
      await guest.publishAsync(`${own}/${channel}`, 'false', { qos: 1 })
    }
    await vi.waitFor(() => expect(commands).toEqual([`${own}/command/c-1 signed`]))
    expect(broker.counters().quarantined).toEqual({ FOREIGN_TOPIC: 5 })
    const asked = [
      'presence',
      'reported',
      'alarm',
      'result/+',
      'readings',
      'report',
      'ack',
      'desired',
      '#',
    ].map((channel) => `imlma/v1/+/+/${channel}`)
    const outcomes = await Promise.allSettled(
      [...asked, '#', '+/+/+/+/presence', '$SYS/#', '$imlma/incident/+'].map((filter) =>
        guest.subscribeAsync(filter, { qos: 1 }),
      ),
    )
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([
      ...Array.from({ length: 4 }, () => true),
      ...Array.from({ length: 9 }, () => false),
    ])
    const heard: string[] = []
    guest.on('message', (topic) => heard.push(topic))
    await agent.publishAsync(`${own}/readings`, 'secret', { qos: 1 })
    await agent.publishAsync(`${own}/alarm`, 'loud', { qos: 1 })
    await vi.waitFor(() => expect(heard).toEqual([`${own}/alarm`]))
  })

  test('may be kept out altogether', async () => {
    await broker.close()
    const certified = { host: '127.0.0.1', port: 0, material: site.broker, denied: site.denied }
    broker = await createBroker(
      { onReadings: async () => undefined, onPresence: () => undefined },
      { certified },
    )
    expect(broker.url).toBe(broker.certifiedUrl)
    expect((await asGw1()).connected).toBe(true)
  })
})

describe('what is sent', () => {
  test('a PUBLISH of 200 MB ends its connection at the announcement', async () => {
    const socket = await rawGw1()
    const other = await connectWith(gw2, 'agent:demo:gw-2')
    socket.write(Buffer.from([0x32, 0x80, 0x80, 0x80, 0x64]))
    await once(socket, 'close')
    expect(broker.counters().packetsCut).toBe(1)
    expect(other.connected).toBe(true)
  })

  test.each([
    ['PUBLISH', packet(0x32, text('a/'.repeat(1_000)), 0, 1)],
    ['SUBSCRIBE', packet(0x82, 0, 1, text('+/'.repeat(1_000) + '+'), 1)],
  ])('a %s of 1,000 levels ends its connection and nothing else', async (_type, bytes) => {
    const socket = await rawGw1()
    const other = await connectWith(gw2, 'agent:demo:gw-2')
    socket.write(bytes)
    await once(socket, 'close')
    await other.publishAsync('imlma/v1/demo/gw-2/readings', 'bytes', { qos: 1 })
    expect(broker.counters().clientsFailed).toBe(1)
  })

  test('whoever is too fast is slowed down, loses nothing, and holds up nobody', async () => {
    await broker.close()
    await start({ pace: { perSecond: 100, burst: 20 } })
    const agent = await asGw1()
    const other = await connectWith(gw2, 'agent:demo:gw-2')
    const startedAt = performance.now()
    const sent = Array.from({ length: 60 }, () =>
      agent.publishAsync(`${own}/alarm`, 'x'.repeat(5_000), { qos: 1 }),
    )
    await other.publishAsync('imlma/v1/demo/gw-2/alarm', 'x', { qos: 1 })
    const othersMs = performance.now() - startedAt
    await Promise.all(sent)
    // 60 packets of 2.2 tokens are 132; 20 are there, and what came last is not waited for.
    expect(performance.now() - startedAt).toBeGreaterThan(500)
    expect(othersMs).toBeLessThan(250)
    expect(broker.counters()).toMatchObject({ published: 61 })
    expect(broker.counters().paused).toBeGreaterThan(0)
  })

  test('a retained command is stored for nobody', async () => {
    const technician = await connectPlain('laptop')
    await technician.publishAsync(`${own}/command/c-1`, 'kept', { qos: 1, retain: true })
    const agent = await asGw1()
    const heard = await hear(agent, `${own}/command/+`)
    await technician.publishAsync(`${own}/command/c-2`, 'now', { qos: 1 })
    await vi.waitFor(() => expect(heard).toEqual([`${own}/command/c-2 now`]))
    expect(broker.counters().quarantined).toEqual({ RETAINED: 1 })
  })
})

describe('a flood of connections', () => {
  const flood = async (port: number, count: number): Promise<void> => {
    const opened = Array.from({ length: count }, () => {
      const socket = connectTcp(port, '127.0.0.1')
      socket.on('error', () => undefined)
      sockets.push(socket)
      return once(socket, 'connect').catch(() => undefined)
    })
    await Promise.all(opened)
  }
  const stillOpen = () =>
    sockets.filter(({ destroyed, readyState }) => !destroyed && readyState === 'open').length

  test.each(['plain', 'certified'] as const)(
    'at the %s door is bounded, and lets others in',
    async (door) => {
      await broker.close()
      await start({ waitingPerAddressMax: 32 })
      const good = await asGw1()
      const port = new URL(door === 'plain' ? broker.url : String(broker.certifiedUrl)).port
      for (const socket of sockets) socket.on('end', () => socket.destroy())
      await flood(Number(port), 300)
      for (const socket of sockets) socket.resume().on('end', () => socket.destroy())
      await vi.waitFor(() => expect(stillOpen()).toBeLessThanOrEqual(32))
      expect(broker.counters().turnedAway).toBeGreaterThanOrEqual(268)
      await good.publishAsync(`${own}/readings`, 'bytes', { qos: 1 })
      expect(readings).toEqual(['gw-1'])
      // Whoever is silent for long makes room; at the plain door at once.
      await vi.waitFor(
        async () => {
          const late =
            door === 'plain' ? await connectPlain('laptop') : await connectWith(gw2, 'agent:demo:gw-2')
          expect(late.connected).toBe(true)
        },
        { timeout: 4_000, interval: 300 },
      )
    },
  )
})
