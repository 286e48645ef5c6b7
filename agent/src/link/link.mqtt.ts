/**
 * The link over MQTT 3.1.1: one session at the broker, as many connections after each other as it takes.
 *
 * On every connect, in this order: subscriptions, presence, what was last reported, then the listeners. So nothing
 * that the coordinator answers to our presence can pass us by. Between connections nothing is kept but the latest
 * presence and report: readings wait in the outbox, everything else is the sender's to try again.
 */

import { Failure, invariant } from '@imlma/protocol/result'
import {
  channels,
  encodeJson,
  groupAgent,
  isName,
  parseTopic,
  protocolVersion,
  toFilter,
  toTopic,
  type Address,
  type Presence,
} from '@imlma/protocol/wire'
import { toDelayMs } from './backoff.ts'
import { parseBrokerUrl } from './broker-url.ts'
import { openConnection, type Connection, type Incoming, type TlsOptions } from './connection.mqtt.ts'
import { linkDown } from './in-flight.timer.ts'
import { createLatest, type Latest } from './latest.timer.ts'
import type { AgentChannel, ControlChannel, ControlMessage, Link } from './link.ts'

export interface MqttLinkParts {
  readonly now: () => number
  readonly random: () => number
  /** Why a connection ended or was not made; the link goes on by itself. */
  readonly onEnd?: (cause: unknown) => void
}

export interface MqttLinkOptions extends Address {
  /** `mqtt://` on this machine only, `mqtts://` elsewhere. */
  readonly broker: string
  readonly presence: Pick<Presence, 'bootId' | 'agentVersion' | 'capabilities'>
  /** Asked for at every connect: a certificate is renewed while the link lives. */
  readonly tls?: () => TlsOptions
  readonly keepaliveS?: number
  readonly connectTimeoutMs?: number
  readonly pubackTimeoutMs?: number
  readonly reconnectDelayMsMin?: number
  readonly reconnectDelayMsMax?: number
  /** Packets without PUBACK; more make mqtt.js slower, not faster. */
  readonly inFlightMax?: number
  /** Packets that wait for their turn. */
  readonly waitingMax?: number
}

export interface MqttLink extends Link {
  /** Connects, and from then on by itself again and again. Listeners come before. */
  readonly start: () => void
  /** Leaves in order and comes again at once, with what `tls` says now. */
  readonly reconnect: () => void
}

type LatestChannel = 'presence' | 'reported'
const listened = [
  'ack',
  'desired',
  'chunk',
  'command',
  'audit-ack',
] as const satisfies readonly ControlChannel[]

/** A connection that lasted so long was a good one: the next wait is short again. */
const goodConnectionMs = 5_000

/** Throws `Failure` BAD_BROKER_URL or PLAIN_MQTT. */
export const createMqttLink = (parts: MqttLinkParts, options: MqttLinkOptions): MqttLink => {
  const { now, random, onEnd = () => undefined } = parts
  const { site, agent } = options
  invariant(isName(site) && isName(agent), 'site and agent are names')
  const url = checkBroker(options.broker)
  const backoff = {
    delayMsMin: options.reconnectDelayMsMin ?? 500,
    delayMsMax: options.reconnectDelayMsMax ?? 15_000,
  }
  const address = { site, agent }
  const connectListeners = new Set<() => void>()
  const listeners = new Map<ControlChannel, Set<(message: ControlMessage) => void>>(
    listened.map((channel) => [channel, new Set()]),
  )

  let connection: Connection | undefined
  let ready = false
  let readySince = 0
  let connects = 0
  let attempt = 0
  let closed = false
  let timer: NodeJS.Timeout | undefined

  const presence = (state: Presence['state']): Uint8Array =>
    encodeJson({ v: protocolVersion, state, ...options.presence, at: now() } satisfies Presence)

  const toOutgoing = (channel: AgentChannel, payload: Uint8Array, id?: string) => {
    invariant(channels[channel].identified === (id !== undefined), `${channel} and its id`)
    return { topic: toTopic(address, channel, id), payload, retain: channels[channel].retain }
  }

  const publish = async (channel: AgentChannel, payload: Uint8Array, id?: string): Promise<void> => {
    if (!ready || connection === undefined) throw linkDown()
    await connection.publish(toOutgoing(channel, payload, id))
  }

  const latestOf = (channel: LatestChannel): Latest =>
    createLatest({
      publish: (payload) => publish(channel, payload),
      delayMs: () => toDelayMs(0, backoff, random),
    })
  const latest = { presence: latestOf('presence'), reported: latestOf('reported') }

  const deliver = ({ topic, payload, retained }: Incoming): void => {
    const parsed = parseTopic(topic)
    if (parsed === undefined) return
    const { channel, id } = parsed
    const message = id === undefined ? { payload, retained } : { id, payload, retained }
    for (const listener of listeners.get(channel as ControlChannel) ?? []) listener(message)
  }

  const leave = async (): Promise<void> => connection?.disconnect(toOutgoing('presence', presence('offline')))

  const onReady = (): void => {
    ready = true
    readySince = performance.now()
    connects += 1
    publish('presence', presence('online')).catch(() => undefined)
    latest.presence.resume()
    latest.reported.resume()
    for (const listener of connectListeners) listener()
  }

  const onEnded = (cause: unknown): void => {
    if (ready && performance.now() - readySince > goodConnectionMs) attempt = 0
    ready = false
    connection = undefined
    latest.presence.pause()
    latest.reported.pause()
    if (closed) return
    onEnd(cause)
    timer = setTimeout(open, toDelayMs(attempt, backoff, random))
    attempt += 1
  }

  const open = (): void => {
    try {
      connection = openConnection(
        {
          url,
          clientId: `agent:${site}:${agent}`,
          will: toOutgoing('presence', presence('offline')),
          filters: [
            ...listened.map((channel) => toFilter(channel, address)),
            toFilter('command', { site, agent: groupAgent }),
          ],
          ...(options.tls === undefined ? {} : { tls: options.tls() }),
          keepaliveS: options.keepaliveS ?? 15,
          connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
          pubackTimeoutMs: options.pubackTimeoutMs ?? 20_000,
          inFlightMax: options.inFlightMax ?? 32,
          waitingMax: options.waitingMax ?? 512,
        },
        { ready: onReady, message: deliver, ended: onEnded },
      )
    } catch (cause) {
      // A certificate that is none: said again and again, until someone corrects it.
      onEnded(cause)
    }
  }

  return {
    start: () => {
      if (!closed && connection === undefined && timer === undefined) open()
    },
    reconnect: () => {
      attempt = 0
      if (connection !== undefined) void leave()
      else if (timer !== undefined && !closed) {
        clearTimeout(timer)
        open()
      }
    },
    publish,
    publishLatest: (channel, payload) => latest[channel].set(payload),
    on: (channel, listener) => {
      listeners.get(channel)?.add(listener)
      return () => void listeners.get(channel)?.delete(listener)
    },
    onConnect: (listener) => {
      connectListeners.add(listener)
      return () => void connectListeners.delete(listener)
    },
    connected: () => ready,
    reconnects: () => Math.max(0, connects - 1),
    close: async () => {
      closed = true
      clearTimeout(timer)
      await leave()
    },
  }
}

const checkBroker = (broker: string): string => {
  const address = parseBrokerUrl(broker)
  if (address.ok) return address.value.url
  const { code, message, hint } = address.refusal
  throw new Failure(code, message, hint === undefined ? {} : { hint })
}
