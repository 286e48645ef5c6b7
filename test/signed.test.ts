import { readFile } from 'node:fs/promises'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSigningKey, readEnrolled } from '@imlma/agent/identity'
import { openReadingsReader, type ReadingsReader } from '@imlma/coordinator/storage/readings'
import { signBatch } from '@imlma/protocol/trust'
import { encodeCbor } from '@imlma/protocol/wire'
import { createFolder, type Folder } from './house/places.fs.ts'
import { createScene, type Scene } from './house/scene.process.ts'
import { until } from './house/until.timer.ts'
import { site } from './house/watch.mqtt.ts'

const hourMs = 3_600_000
const days = 10
const register = '1-0:1.29.0'
const agents = ['gw-1', 'gw-2'] as const

/** A trigger that these readings never reach. */
const definition = {
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register,
  intervalMs: hourMs,
  horizon: 24,
  parameters: { lambdas: [1] },
  trigger: { volume: 1e6, intervalMs: 1e12, readingsMin: 1e6, coolDownMs: 0 },
  data: { evaluationMs: 21 * 24 * hourMs, windowMsMax: 70 * 24 * hourMs },
}
const feedOf = (meter: string) => ({
  kind: 'simulated',
  name: 'feed',
  seed: 1,
  liveFrom: Date.UTC(2025, 2, 3),
  meters: [meter],
  intervalMs: hourMs,
  historyDays: days,
  speed: 1,
})

let folder: Folder
let scene: Scene
let reader: ReadingsReader
let attacker: MqttClient

const filled = () => reader.filled(site, register, hourMs)
const refusalsOf = (code: string) =>
  reader
    .refusals()
    .filter((each) => each.code === code)
    .map(({ agent, batches }) => ({ agent, batches }))
const publish = (agent: string, packet: Uint8Array) =>
  attacker.publishAsync(`imlma/v1/${site}/${agent}/readings`, Buffer.from(packet), { qos: 1 })

/** A reading that nobody measured, as the next batch of gw-2. */
const forged = (seq: number) => ({
  v: 1,
  seq,
  sentAt: Date.now(),
  historical: false,
  series: [
    { meter: 'meter-x', register, interval: hourMs, start: 2_000 * hourMs, values: Float32Array.of(1e6) },
  ],
})

beforeAll(async () => {
  folder = await createFolder('signed')
  scene = await createScene(folder)
  await scene.startControl(definition)
  for (const agent of agents) await scene.startAgent(agent, feedOf(`meter-${agent}`))
  reader = openReadingsReader(`${scene.dataDir}/readings.db`)
  await until('every reading is counted', () => Promise.resolve(filled() === agents.length * days * 24))
  // Whoever steals a gateway has its certificate and its keys.
  await scene.kill('gw-2')
  const stolen = `${scene.dataDir}/agents/gw-2`
  const enrolled = await readEnrolled(stolen)
  attacker = await connectAsync(scene.inside.url, {
    clientId: `agent:${site}:gw-2`,
    protocolVersion: 4,
    reconnectPeriod: 50,
    ca: enrolled!.ca,
    cert: enrolled!.certificate,
    key: await readFile(`${stolen}/identity/key.pem`),
  })
})
afterAll(async () => {
  await (attacker as MqttClient | undefined)?.endAsync(true)
  ;(reader as ReadingsReader | undefined)?.close()
  await (scene as Scene | undefined)?.stop()
  await folder.remove()
})

test('what agents sent is signed, each batch by its agent’s own key', async () => {
  for (const agent of agents) {
    const { batches, keyids } = reader.signedHistory(site, agent)!
    expect(batches).toBe(reader.coverage().find((each) => each.agent === agent)!.batches)
    const key = await openSigningKey(`${scene.dataDir}/agents/${agent}`)
    expect(keyids).toEqual([key!.signer.keyid])
  }
  expect(reader.quarantined()).toEqual({})
})

test('a stolen gateway adds nothing in another’s name', async () => {
  const before = { filled: filled(), gw1: reader.signedHistory(site, 'gw-1') }
  const own = (await openSigningKey(`${scene.dataDir}/agents/gw-2`))!.signer
  const [true1] = reader.signedBatches(site, 'gw-1', 0, 1)
  const seq = before.gw1!.lastSeq + 1
  const front = encodeCbor({ ...forged(seq), signature: 0 }).subarray(0, -11)

  // In gw-1's name: the broker takes it off, whatever it is.
  await publish('gw-1', signBatch({ site, agent: 'gw-1' }, front, own))
  await publish('gw-1', true1!.bytes!)
  // In its own name: what gw-1 has signed, what nobody has signed, and what it signed for another sequence.
  await publish('gw-2', true1!.bytes!)
  await until('a stolen batch is refused', () => Promise.resolve(refusalsOf('UNKNOWN_KEY').length > 0))
  await publish('gw-2', encodeCbor(forged(seq)))
  await until('an unsigned one is refused', () => Promise.resolve(refusalsOf('NOT_SIGNED').length > 0))
  const [true2] = reader.signedBatches(site, 'gw-2', 0, 1)
  const moved = Buffer.from(true2!.bytes!)
  moved[moved.indexOf('cseq') + 4]! += 10
  await publish('gw-2', moved)
  await until('a moved one is refused', () => Promise.resolve(refusalsOf('BAD_SIGNATURE').length > 0))

  for (const code of ['UNKNOWN_KEY', 'NOT_SIGNED', 'BAD_SIGNATURE']) {
    expect(refusalsOf(code)).toEqual([{ agent: 'gw-2', batches: 1 }])
  }
  expect(filled()).toBe(before.filled)
  expect(reader.signedHistory(site, 'gw-1')).toEqual(before.gw1)
  expect(reader.series({ meter: 'meter-x' })).toEqual([])
})
