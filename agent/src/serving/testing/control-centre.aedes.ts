/**
 * The smallest control centre that a real agent process needs, for tests and benchmarks: a broker on loopback that
 * acknowledges readings, hands out artifacts, keeps what agents say, and assigns versions with real signatures.
 */

import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { Aedes, type AedesPublishPacket } from 'aedes'
import { limits } from '@imlma/protocol/limits'
import type { Contract, Manifest } from '@imlma/protocol/manifest'
import { crc32 } from '@imlma/protocol/node'
import {
  encodeCbor,
  encodeJson,
  parseCborMessage,
  parseTopic,
  readingBatchSchema,
  reportSchema,
  toTopic,
  type Alarm,
  type CommandResult,
  type Fetch,
  type Presence,
  type Report,
  type Reported,
} from '@imlma/protocol/wire'
import {
  newKeys,
  release,
  sealCommand,
  sealDesired,
  sealRoot,
  site,
  type Released,
} from '../../models/testing/gateway.fs.ts'
import { encodeTinyModel, type Dense } from './tiny-model.ts'

/** What one agent has said. */
export interface Heard {
  presence?: Presence
  reported?: Reported
  readonly reports: Report[]
  readonly alarms: Alarm[]
  readonly results: CommandResult[]
  /** Readings by sequence: a batch that came twice counts once. */
  readonly batches: Map<number, number>
}

export const startControlCentre = async () => {
  const keys = newKeys()
  const broker = await Aedes.createBroker({ concurrency: 0 })
  const server = createServer((socket) => broker.handle(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const heard = new Map<string, Heard>()
  const artifacts = new Map<string, Uint8Array>()
  let counter = 0

  const of = (agent: string): Heard => {
    const known = heard.get(agent) ?? { reports: [], alarms: [], results: [], batches: new Map() }
    heard.set(agent, known)
    return known
  }
  const publish = (topic: string, payload: Uint8Array, retain = false): void =>
    broker.publish(
      { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, dup: false, retain },
      () => undefined,
    )

  const onReadings = (agent: string, payload: Uint8Array): void => {
    const batch = parseCborMessage(readingBatchSchema, payload, limits.packetBytesMax)
    if (!batch.ok) throw new Error(batch.refusal.message)
    const { seq, series } = batch.value
    of(agent).batches.set(
      seq,
      series.reduce((sum, { values }) => sum + values.length, 0),
    )
    publish(toTopic({ site, agent }, 'ack'), encodeJson({ v: 1, seq }))
  }
  /** An agent that comes learns where its sequence stands. */
  const onPresence = (agent: string, presence: Presence): void => {
    of(agent).presence = presence
    const seq = Math.max(0, ...of(agent).batches.keys())
    if (presence.state === 'online') publish(toTopic({ site, agent }, 'ack'), encodeJson({ v: 1, seq }))
  }
  const onFetch = (agent: string, { requestId, sha256, offset, length }: Fetch): void => {
    const artifact = artifacts.get(sha256) ?? new Uint8Array(0)
    const bytes = artifact.slice(offset, offset + length)
    const chunk = { sha256, offset, total: artifact.byteLength, bytes, crc32: crc32(bytes) }
    publish(toTopic({ site, agent }, 'chunk', requestId), encodeCbor(chunk))
  }
  broker.on('publish', ({ topic: name, payload }: AedesPublishPacket, client) => {
    const topic = client === null ? undefined : parseTopic(name)
    if (topic === undefined) return
    const bytes = new Uint8Array(Buffer.from(payload))
    const json = (): never => JSON.parse(new TextDecoder().decode(bytes)) as never
    const { agent, channel } = topic
    if (channel === 'readings') onReadings(agent, bytes)
    if (channel === 'fetch') onFetch(agent, json())
    if (channel === 'presence') onPresence(agent, json())
    if (channel === 'reported') of(agent).reported = json()
    if (channel === 'alarm') of(agent).alarms.push(json())
    if (channel === 'result') of(agent).results.push(json())
    if (channel === 'report') {
      const report = parseCborMessage(reportSchema, bytes, limits.packetBytesMax)
      if (report.ok) of(agent).reports.push(report.value)
    }
  })

  return {
    site,
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    root: sealRoot(keys),
    of,
    /** A signed version of a linear model. */
    /** `bytes`: another file, which answers what this layer answers. */
    release: (
      version: number,
      layer: Dense,
      contract: Contract,
      changes: Partial<Manifest> = {},
      bytes = encodeTinyModel({ layers: [layer] }),
    ): Released => {
      const released = release(
        keys.release,
        version,
        { bytes, contract, answer: (input) => answerOf(layer, input) },
        changes,
      )
      artifacts.set(released.sha256, bytes)
      return released
    },
    /** `shadow`: what runs beside it. */
    assign: (agent: string, { manifest, envelope }: Released, shadow?: Released): void => {
      const entry = {
        manifest: envelope,
        mode: 'active',
        ...(shadow === undefined ? {} : { shadow: shadow.envelope }),
      }
      const models = { [manifest.model]: entry }
      const desired = sealDesired(keys.director, ++counter, {}, { agent, issuedAt: Date.now(), models })
      publish(toTopic({ site, agent }, 'desired'), desired, true)
    },
    command: (agent: string, command: Parameters<typeof sealCommand>[1]): void => {
      const { id, payload } = sealCommand(keys.technician, { agents: [agent], ...command })
      publish(toTopic({ site, agent }, 'command', id), payload)
    },
    close: async (): Promise<void> => {
      await new Promise<void>((resolve) => broker.close(resolve))
      server.close()
    },
  }
}
export type ControlCentre = Awaited<ReturnType<typeof startControlCentre>>

/** What the runtime must answer. */
const answerOf = ({ weights, bias }: Dense, input: Float32Array): Float32Array =>
  bias.map((start, column) =>
    input.reduce((sum, value, row) => sum + value * (weights[row * bias.length + column] as number), start),
  )
