import { limits } from '@imlma/protocol/limits'
import { signBatch } from '@imlma/protocol/trust'
import { encodeCbor } from '@imlma/protocol/wire'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createReadingsStore } from '../storage/readings.sqlite.ts'
import type { ReadingsStore } from '../storage/readings.ts'
import { openAgentKeys } from '../trust/agent-keys.fs.ts'
import { createBatchSignatures } from '../trust/batch-signatures.crypto.ts'
import {
  newSigningAgent,
  openCertifiedAgents,
  type CertifiedAgents,
} from '../trust/testing/certified-agents.fs.ts'
import { startEmbeddedIngest, type EmbeddedIngest } from './embedded.aedes.ts'

const hour = 3_600_000
const register = 'load'
const now = () => 1_000 * hour
const gw1 = { site: 'demo', agent: 'gw-1' }
const [own, other] = [newSigningAgent(), newSigningAgent()]

const batchOf = (seq: number, more: object = {}) => ({
  v: 1,
  seq,
  sentAt: now(),
  historical: false,
  series: [{ meter: 'm-1', register, interval: hour, start: seq * hour, values: Float32Array.of(seq) }],
  ...more,
})
const toPacket = (seq: number, { key = own, agent = gw1, ...more }: Change = {}) =>
  signBatch(agent, encodeCbor({ ...batchOf(seq, more), signature: 0 }).subarray(0, -11), key.signer)
type Change = { key?: typeof own; agent?: typeof gw1 } & Record<string, unknown>

let site: CertifiedAgents
let store: ReadingsStore
let embedded: EmbeddedIngest
let client: MqttClient
let acks: number[]
let refused: string[]
let clock: number

beforeEach(async () => {
  site = await openCertifiedAgents()
  await site.certify(gw1, own)
  await site.certify({ site: 'demo', agent: 'gw-2' }, other)
  store = createReadingsStore(':memory:')
  refused = []
  clock = 0
  const keys = openAgentKeys(site.folder, () => clock)
  embedded = await startEmbeddedIngest(
    {
      store,
      now,
      verifySignature: createBatchSignatures({ keys, denied: () => new Set(), onTrouble: console.error }),
      onRefused: ({ agent }, { code }) => refused.push(`${agent} ${code}`),
    },
    { port: 0, foldIntervalMs: 5 },
  )
  acks = []
  client = await connectAsync(embedded.broker.url, { clientId: 'agent:demo:gw-1', protocolVersion: 4 })
  client.on('message', (_topic, payload) =>
    acks.push((JSON.parse(payload.toString()) as { seq: number }).seq),
  )
  await client.subscribeAsync('imlma/v1/demo/gw-1/ack', { qos: 1 })
})
afterEach(async () => {
  await client.endAsync(true)
  await embedded.close()
  store.close()
  await site.close()
})

/** Whoever reaches the topic: an attacker with another agent's name would have been stopped by the broker already. */
const publish = (packet: Uint8Array) =>
  client.publishAsync('imlma/v1/demo/gw-1/readings', Buffer.from(packet), { qos: 1 })
const counted = () => {
  store.fold(1_000)
  return store.filled('demo', register, hour)
}

test('a batch that its agent has signed is stored, acknowledged and counted', async () => {
  await publish(toPacket(1))
  await vi.waitFor(() => expect(acks).toEqual([1]))
  expect(counted()).toBe(1)
  expect(store.signedHistory('demo', 'gw-1')).toMatchObject({
    batches: 1,
    firstSeq: 1,
    lastSeq: 1,
    keyids: [own.signer.keyid],
  })
})

test.each<[string, () => Uint8Array, string]>([
  ['a batch without a signature', () => encodeCbor(batchOf(1)), 'NOT_SIGNED'],
  ['a batch of another agent under its name', () => toPacket(1, { key: other }), 'UNKNOWN_KEY'],
  [
    'a batch that another agent has signed for itself',
    () => toPacket(1, { key: other, agent: { site: 'demo', agent: 'gw-2' } }),
    'UNKNOWN_KEY',
  ],
  [
    'a batch that was signed for another site',
    () => toPacket(1, { agent: { site: 'x', agent: 'gw-1' } }),
    'BAD_SIGNATURE',
  ],
  [
    'a true batch under another sequence',
    () => {
      const packet = toPacket(7)
      // `seq` is a single byte behind its name.
      packet[Buffer.from(packet).indexOf('cseq') + 4] = 1
      return packet
    },
    'BAD_SIGNATURE',
  ],
  [
    'a batch with another reading in it',
    () => toPacket(1).map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
    'BAD_SIGNATURE',
  ],
  ['noise', () => Uint8Array.of(0xff), 'NOT_SIGNED'],
  ['what only ends like a batch', () => toPacket(1).subarray(-160), 'BAD_SIGNATURE'],
])('%s is kept aside, and the true batch keeps its place', async (_, forged, code) => {
  await publish(forged())
  await publish(forged())
  expect(embedded.ingest.counters()).toMatchObject({ accepted: 0, quarantined: { [code]: 2 } })
  expect(store.refusals()).toMatchObject([{ agent: 'gw-1', code, batches: 2 }])
  // Alarmed once, however often it comes.
  expect(refused).toEqual([`gw-1 ${code}`])
  expect([store.acknowledged('demo', 'gw-1'), counted()]).toEqual([0, 0])
  await publish(toPacket(1))
  await vi.waitFor(() => expect(acks.at(-1)).toBe(1))
  expect(counted()).toBe(1)
  expect(store.coverage()).toMatchObject([{ acknowledged: 1, lost: 0, batches: 1 }])
})

test('an agent whose key is not known yet loses nothing', async () => {
  const next = newSigningAgent()
  await publish(toPacket(1, { key: next }))
  expect(store.acknowledged('demo', 'gw-1')).toBe(0)
  await site.certify(gw1, next)
  clock += 1_000
  await publish(toPacket(1, { key: next }))
  await vi.waitFor(() => expect(acks.at(-1)).toBe(1))
  expect(embedded.ingest.counters()).toMatchObject({ accepted: 1, quarantined: { UNKNOWN_KEY: 1 } })
})

test('both keys count while an agent changes its key, and are named', async () => {
  const next = newSigningAgent()
  await site.certify(gw1, next)
  for (const [seq, key] of [own, next, own].entries()) await publish(toPacket(seq + 1, { key }))
  expect(counted()).toBe(3)
  expect(store.signedHistory('demo', 'gw-1')).toMatchObject({
    batches: 3,
    keyids: [own.signer.keyid, next.signer.keyid],
  })
})

test('a batch that was sent after its key’s certification ended is kept aside', async () => {
  await site.certify(gw1, own, { expiresAt: now() + 10 })
  await publish(toPacket(1, { sentAt: now() + 10 }))
  expect(embedded.ingest.counters()).toMatchObject({ accepted: 0, quarantined: { EXPIRED: 1 } })
  await publish(toPacket(1, { sentAt: now() + 9 }))
  expect(embedded.ingest.counters()).toMatchObject({ accepted: 1 })
})

test('what its agent has signed and is none the less no batch takes its sequence, so that it ends', async () => {
  await publish(toPacket(1, { series: 'none' }))
  await publish(toPacket(2))
  await vi.waitFor(() => expect(acks.at(-1)).toBe(2))
  expect(embedded.ingest.counters()).toMatchObject({ accepted: 1, quarantined: { MALFORMED: 1 } })
})

test('a true batch that comes again is a duplicate, whoever sends it', async () => {
  await publish(toPacket(1))
  await publish(toPacket(1))
  expect(embedded.ingest.counters()).toMatchObject({ accepted: 1, duplicates: 1 })
  expect(store.signedHistory('demo', 'gw-1')?.batches).toBe(1)
})

test('a packet beyond the bound is refused before anything is computed', async () => {
  const huge = new Uint8Array(limits.packetBytesMax + 1)
  await embedded.ingest.onReadings(gw1, huge)
  expect(embedded.ingest.counters().quarantined).toEqual({ TOO_LARGE: 1 })
})
