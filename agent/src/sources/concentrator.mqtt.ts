/**
 * A concentrator that publishes readings to a broker beside us, as JSON or CBOR. With QoS 1 a message is acknowledged
 * when its readings are on disk, and the session stays at the broker while we are away: a kill costs nothing there.
 * A message that cannot be read is counted and acknowledged: it would be no better the next time.
 */

import { readFile } from 'node:fs/promises'
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'
import { limits } from '@imlma/protocol/limits'
import { decodeCbor } from '@imlma/protocol/wire'
import { createCollector, type CollectorParts } from './intake/collector.timer.ts'
import { toSamples, type DocumentMapping } from './intake/document.ts'
import { createReconnecting, type ReconnectOptions } from './reconnecting.timer.ts'
import type { Source, SourceState } from './source.ts'
import { parseTopicPattern } from './topic-pattern.ts'

export interface ConcentratorOptions extends DocumentMapping, ReconnectOptions {
  readonly name: string
  readonly url: string
  readonly topic: string
  readonly format: 'json' | 'cbor'
  readonly qos: 0 | 1
  /** Names the session at the broker: two clients of one name throw each other out. */
  readonly clientId?: string
  readonly username?: string
  /** Files, read at every connect: what is renewed is used. */
  readonly passwordFile?: string
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

const connectTimeoutMs = 10_000
const keepaliveS = 30

export const createConcentratorSource = (parts: CollectorParts, options: ConcentratorOptions): Source => {
  const { name, topic, format, qos } = options
  const collector = createCollector(parts, options)
  const pattern = parseTopicPattern(topic)
  const now = parts.clock?.now ?? Date.now
  let state: SourceState = 'stopped'

  const take = ({ topic: from, payload, retain }: IPublishPacket): void => {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const place = pattern?.match(from)
    if (place === undefined) return
    const example = `${from} ${format === 'json' ? bytes.toString('utf8', 0, 400) : bytes.toString('hex', 0, 100)}`
    if (retain && options.at === undefined) {
      collector.reject(
        'RETAINED',
        'a retained message without a time: nobody knows when it was true',
        example,
      )
      return
    }
    const document = decode(bytes, format)
    if (document === undefined) {
      collector.reject(
        format === 'json' ? 'NOT_JSON' : 'NOT_CBOR',
        `the message is no ${format.toUpperCase()}`,
        example,
      )
      return
    }
    const { samples, refused } = toSamples(document, options, { receivedAt: now(), ...place })
    collector.take(samples)
    for (const { code, message } of refused) collector.reject(code, message, example)
  }

  const hold = async (signal: AbortSignal): Promise<void> => {
    const client = connect(options.url, await toClientOptions(options))
    try {
      await new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
        client.once('error', reject)
        client.once('close', () => reject(new Error('the connection was closed')))
        client.handleMessage = (packet, done) => {
          take(packet)
          if (collector.flush()) {
            done()
            return
          }
          // Unacknowledged, it comes again with the next connection, when there may be room.
          state = 'held back'
          reject(new Error('the store takes no readings now'))
        }
        client.once('connect', () => {
          client.subscribe(pattern?.filter ?? topic, { qos }, (cause, granted) => {
            const isRefused = granted?.some((each) => each.qos === 128) ?? false
            if (cause !== null || isRefused) reject(cause ?? new Error(`the broker refuses ${topic}`))
            else state = 'live'
          })
        })
      })
    } finally {
      await endClient(client, signal.aborted)
    }
  }

  const reconnecting = createReconnecting(
    hold,
    (cause) => {
      if (state === 'live') state = 'connecting'
      collector.interrupted(cause instanceof Error ? cause.message : 'ended', options.url)
    },
    options,
  )

  return {
    name,
    series: [],
    state: () => state,
    figures: collector.figures,
    start: () => {
      state = 'connecting'
      collector.start()
      reconnecting.start()
    },
    stop: async () => {
      await reconnecting.stop()
      collector.stop()
      state = 'stopped'
    },
  }
}

/** undefined where it is neither. */
const decode = (bytes: Uint8Array, format: 'json' | 'cbor'): unknown => {
  if (bytes.length > limits.packetBytesMax) return undefined
  if (format === 'cbor') {
    const decoded = decodeCbor(bytes, limits.packetBytesMax)
    return decoded.ok ? decoded.value : undefined
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

const toClientOptions = async (options: ConcentratorOptions): Promise<IClientOptions> => {
  const { name, clientId = `imlma-${name}`, username, passwordFile, caFile, certFile, keyFile } = options
  const [password, ca, cert, key] = await Promise.all([
    readIfGiven(passwordFile),
    readIfGiven(caFile),
    readIfGiven(certFile),
    readIfGiven(keyFile),
  ])
  return {
    clientId,
    clean: options.qos === 0,
    protocolVersion: 4,
    // One client a connection: what mqtt.js carries from one to the next has no bound.
    reconnectPeriod: 0,
    keepalive: keepaliveS,
    connectTimeout: connectTimeoutMs,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: password.toString('utf8').trim() }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}

const readIfGiven = async (path: string | undefined): Promise<Buffer | undefined> =>
  path === undefined ? undefined : readFile(path)

/** In order where it was asked for, so that the broker does not wait for a dead connection. */
const endClient = (client: MqttClient, isOrderly: boolean): Promise<void> =>
  new Promise((resolve) => {
    client.removeAllListeners('error').on('error', () => undefined)
    client.end(!isOrderly, {}, () => resolve())
    setTimeout(resolve, endMsMax).unref()
  })

/** A broker that does not answer must not hold up a stop. */
const endMsMax = 1_000
