import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { bindIdentity, decidePublish, mayReceive, parseGuest, type Identity } from '../broker/access.ts'
import {
  freePort,
  mosquittoHint,
  mosquittoIsMissing,
  startMosquitto,
  type Mosquitto,
} from '../broker/testing/mosquitto.process.ts'
import { createAuthority, openAuthority, type Authority, type TlsMaterial } from '../trust/pki/index.ts'
import { exportMosquitto } from './mosquitto.fs.ts'

const site = 'demo'
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

let folder: string
let authority: Authority
let ports: { tls: number; plain: number }
let mosquitto: Mosquitto | undefined
const clients: MqttClient[] = []

beforeEach((context) => context.skip(mosquittoIsMissing, mosquittoHint))
const show = (kind: 'agent' | 'coordinator', name: string): TlsMaterial & { serial: string } => {
  const { certPem, serial } = authority.certify(createPublicKey(privateKey), { kind, site, name }, 3_600_000)
  return { ca: authority.caPem, cert: certPem, key, serial }
}
const write = () =>
  exportMosquitto(folder, { folder: join(folder, 'out'), port: ports.tls, plainPort: ports.plain, hosts: [] })
const start = async (): Promise<void> => {
  await write()
  mosquitto = await startMosquitto(join(folder, 'out', 'mosquitto.conf'), [ports.tls, ports.plain])
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-mosquitto-'))
  await mkdir(join(folder, 'trust'))
  const pki = join(folder, 'trust', 'pki')
  await createAuthority(pki, site)
  authority = await openAuthority(pki)
  ports = { tls: await freePort(), plain: await freePort() }
  if (!mosquittoIsMissing) await start()
})
afterAll(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)))
  await mosquitto?.stop()
  await rm(folder, { recursive: true, force: true })
})

const open = (url: string, options: IClientOptions): Promise<MqttClient> => {
  const client = connect(url, { protocolVersion: 4, reconnectPeriod: 0, ...options })
  clients.push(client)
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client))
    client.on('error', reject)
    client.once('close', () => reject(new Error('connection closed')))
  })
}
const connectAs = ({ ca, cert, key: own }: TlsMaterial, clientId: string, options: IClientOptions = {}) =>
  open(`mqtts://127.0.0.1:${ports.tls}`, { ca, cert, key: own, clientId, ...options })
const connectPlain = (clientId: string, options: IClientOptions = {}) =>
  open(`mqtt://127.0.0.1:${ports.plain}`, { clientId, ...options })

const own = 'imlma/v1/demo/gw-1'
const rests =
  'presence readings reported report alarm fetch result/c-1 ack desired chunk/r-1 command/c-1 nothing a/b'
const topics = rests.split(' ').flatMap((rest) => [`${own}/${rest}`, `imlma/v1/demo/gw-2/${rest}`])
const others = [
  'imlma/v1/demo/_all/command/c-1',
  'imlma/v1/demo/_all/readings',
  'imlma/v1/other/gw-1/readings',
  'imlma/v2/demo/gw-1/readings',
  'a/b/c',
]
const cases = [...topics, ...others]

const identityOf = (kind: 'agent' | 'coordinator' | 'guest'): Identity => {
  const bound =
    kind === 'guest'
      ? parseGuest('laptop')
      : bindIdentity(
          { kind, site, name: kind === 'agent' ? 'gw-1' : '_control' },
          kind === 'agent' ? 'agent:demo:gw-1' : 'coordinator:demo',
        )
  if (!bound.ok) throw new Error(bound.refusal.message)
  return bound.value
}

type Kind = Parameters<typeof identityOf>[0]
const kinds: readonly Kind[] = ['agent', 'coordinator', 'guest']

const openAs = (kind: Kind): Promise<MqttClient> => {
  if (kind === 'guest') return connectPlain('laptop')
  return kind === 'agent'
    ? connectAs(show('agent', 'gw-1'), 'agent:demo:gw-1')
    : connectAs(show('coordinator', '_control'), 'coordinator:demo')
}
/** Topics in the order in which they came, until one that says the end. */
const hearUntilEnd = async (client: MqttClient): Promise<() => Promise<readonly string[]>> => {
  const heard: string[] = []
  let isEnd = false
  client.on('message', (topic, payload) => {
    if (payload.toString() === 'end') isEnd = true
    else heard.push(topic)
  })
  await client.subscribeAsync('#', { qos: 1 })
  return async () => {
    await vi.waitFor(() => expect(isEnd).toBe(true))
    return heard
  }
}
const said = (kind: Kind): readonly string[] =>
  cases.filter((topic) => decidePublish(identityOf(kind), topic, false).ok)

describe('the configuration for Mosquitto', () => {
  test.each(kinds)('lets the %s say what the embedded broker would', async (kind) => {
    const listener = await connectAs(show('coordinator', '_ingest'), 'coordinator:demo-ingest')
    const heard = await hearUntilEnd(listener)
    const client = await openAs(kind)
    for (const topic of cases) await client.publishAsync(topic, 'said', { qos: 1 })
    const last = { agent: 'alarm', coordinator: 'ack', guest: 'command/c-1' }[kind]
    await client.publishAsync(`${own}/${last}`, 'end', { qos: 1 })
    expect(client.connected).toBe(true)
    expect(await heard()).toEqual(said(kind))
    expect(said(kind).length).toBeGreaterThan(1)
    await client.endAsync(true)
    await listener.endAsync(true)
  })

  test.each(kinds)('lets the %s hear what the embedded broker would', async (kind) => {
    const client = await openAs(kind)
    const heard = await hearUntilEnd(client)
    const speakers: [Kind, MqttClient][] = [
      ['agent', kind === 'agent' ? client : await openAs('agent')],
      ['coordinator', await connectAs(show('coordinator', '_ingest'), 'coordinator:demo-ingest')],
      ['guest', await connectPlain('another')],
    ]
    for (const [speaker, connection] of speakers) {
      for (const topic of said(speaker)) await connection.publishAsync(topic, 'said', { qos: 1 })
    }
    const last = { agent: 2, coordinator: 2, guest: 0 }[kind]
    const [, connection = client] = speakers[last] ?? []
    await connection.publishAsync(`${own}/${last === 2 ? 'command/c-1' : 'alarm'}`, 'end', { qos: 1 })
    const all = speakers.flatMap(([speaker]) => said(speaker))
    const expected = all.filter((topic) => mayReceive(identityOf(kind), topic))
    expect(await heard()).toEqual(expected)
    expect(kind === 'coordinator' || expected.length < all.length).toBe(true)
    await Promise.all(speakers.map(([, each]) => each.endAsync(true)))
    await client.endAsync(true)
  })

  test('takes the name of the certificate for the client id, whatever is claimed', async () => {
    const victim = await connectAs(show('agent', 'gw-2'), 'agent:demo:gw-2')
    const thief = await connectAs(show('agent', 'gw-1'), 'agent:demo:gw-2')
    await thief.publishAsync(`${own}/alarm`, 'said', { qos: 1 })
    await victim.publishAsync('imlma/v1/demo/gw-2/alarm', 'said', { qos: 1 })
    expect(victim.connected).toBe(true)
  })

  test('gives nothing for a name that is claimed without a certificate', async () => {
    const listener = await connectAs(show('coordinator', '_ingest'), 'coordinator:demo-ingest')
    const heard = await hearUntilEnd(listener)
    for (const username of ['_control', 'gw-1']) {
      const liar = await connectPlain('liar', { username, password: 'x' })
      for (const topic of cases) await liar.publishAsync(topic, 'said', { qos: 1 })
      await liar.endAsync(true)
    }
    const honest = await connectPlain('honest')
    await honest.publishAsync(`${own}/command/c-1`, 'end', { qos: 1 })
    expect((await heard()).filter((topic) => !topic.includes('/command/'))).toEqual([])
    await listener.endAsync(true)
  })

  test('cuts a packet above the bound', async () => {
    const agent = await connectAs(show('agent', 'gw-1'), 'agent:demo:gw-1')
    const closed = new Promise((resolve) => void agent.once('close', () => resolve(true)))
    agent.publish(`${own}/readings`, Buffer.alloc(1_100_000), { qos: 1 }, () => undefined)
    expect(await closed).toBe(true)
  })

  test('asks for TLS 1.3 and nothing older', async () => {
    const { ca, cert } = show('agent', 'gw-1')
    const socket = connectTls({
      port: ports.tls,
      host: '127.0.0.1',
      ca,
      cert,
      key,
      maxVersion: 'TLSv1.2',
    })
    const [error] = (await once(socket, 'error')) as [Error]
    expect(error.message).toMatch(/version|alert/i)
  })

  test('keeps its key to itself', async () => {
    expect((await stat(join(folder, 'out', 'broker.key'))).mode & 0o777).toBe(0o600)
  })

  test('refuses a denied certificate once it is written again', async () => {
    const denied = show('agent', 'gw-3')
    await (await connectAs(denied, 'agent:demo:gw-3')).endAsync()
    await mosquitto?.stop()
    await authority.deny(denied.serial, 'stolen', 'gw-3')
    await start()
    await expect(connectAs(denied, 'agent:demo:gw-3')).rejects.toThrow(/closed|revoked|alert/i)
    expect((await connectAs(show('agent', 'gw-3'), 'agent:demo:gw-3')).connected).toBe(true)
  })
})
