/**
 * The control centre's connection to its broker, embedded or outside, by mqtt.js. It reconnects on its own, with a
 * pause that grows and is drawn at random (a fleet of clients would otherwise come back in step), and subscribes again.
 */

import { connect } from 'mqtt'
import { limits } from '@imlma/protocol/limits'
import { Failure, invariant } from '@imlma/protocol/result'
import {
  channels,
  parseJsonMessage,
  parseTopic,
  toFilter,
  toTopic,
  type ChannelName,
} from '@imlma/protocol/wire'
import type { TlsMaterial } from '../trust/pki/index.ts'
import { incidentPrefix } from './access.ts'
import type { BrokerClient, BrokerMessage } from './client.ts'
import { incidentSchema, type Incident } from './incidents.ts'
import { createInFlight } from './in-flight.ts'
import { isLoopback } from './listener.net.ts'

export interface BrokerClientOptions {
  /** `mqtt://127.0.0.1:1883`, or `mqtts://…` anywhere. */
  readonly url: string
  /** `coordinator:{name}`, or any name of a technician's tool. */
  readonly clientId: string
  /**
   * Whom to believe and who we are, for `mqtts://`; asked for before each connect, so that a renewed certificate is
   * used by the next one. Without it the authorities of the system count, and nothing is shown.
   */
  readonly tls?: () => Promise<Partial<TlsMaterial>>
  readonly username?: string
  readonly password?: string
  /** An unanswered publish is given up after this time; it may still arrive. */
  readonly publishTimeoutMs?: number
}

/** Publishes under way: enough to fill a link, few enough that a broker's queue (Mosquitto: 1,000) never overflows. */
const inFlightMax = 64

/** Publishes that wait for a place: an assignment and a chunk for each agent of the largest embedded fleet. */
const waitingMax = 10_000

/** An incident has some hundred bytes. */
const incidentBytesMax = 4_096

const pauseMsMin = 200
const pauseMsMax = 5_000

export interface BrokerConnection extends BrokerClient {
  /** What an embedded broker has refused, from now on and what it remembers; an outside one tells nothing. */
  readonly onIncident: (listener: (incident: Incident) => void) => void
}

/** Connects in the background. Throws `Failure` INSECURE_URL. */
export const createBrokerClient = ({
  url,
  clientId,
  tls,
  username,
  password,
  publishTimeoutMs = 10_000,
}: BrokerClientOptions): BrokerConnection => {
  requireSafe(url)
  const client = connect(url, {
    protocolVersion: 4,
    clientId,
    clean: true,
    keepalive: 15,
    connectTimeout: 5_000,
    // Both are done here: with a growing, random pause, and before anybody is told of the connection.
    reconnectPeriod: 0,
    resubscribe: false,
    manualConnect: true,
    ...(url.startsWith('mqtts:') ? { minVersion: 'TLSv1.3', rejectUnauthorized: true } : {}),
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  })
  const inFlight = createInFlight(inFlightMax, waitingMax)
  const listeners = new Map<ChannelName, Set<(message: BrokerMessage) => void>>()
  const onConnectListeners = new Set<() => void>()
  /** Subscriptions that nobody has confirmed yet. */
  const awaited = new Map<ChannelName, { resolve: () => void; reject: (failure: Failure) => void }[]>()
  let failures = 0
  let isClosed = false
  let retryTimer: NodeJS.Timeout | undefined
  let lastError: unknown
  const incidentListeners = new Set<(incident: Incident) => void>()

  const connectNow = async (go: () => void): Promise<void> => {
    try {
      Object.assign(client.options, await tls?.())
    } catch (error) {
      lastError = error
      retryLater()
      return
    }
    if (!isClosed) go()
  }
  const retryLater = (): void => {
    if (isClosed || retryTimer !== undefined) return
    const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** failures) * (0.5 + Math.random())
    failures += 1
    retryTimer = setTimeout(() => {
      retryTimer = undefined
      void connectNow(() => client.reconnect())
    }, pauseMs)
  }

  /** An outside broker has no incidents to tell, and may refuse. */
  const subscribeIncidents = (): void => {
    client.subscribeAsync(`${incidentPrefix}/+`, { qos: 1 }).catch(() => undefined)
  }

  const subscribeNow = async (channel: ChannelName): Promise<void> => {
    try {
      await client.subscribeAsync(toFilter(channel), { qos: channels[channel].qos })
    } catch (cause) {
      // Without a connection the next one tries again; with one, the broker has said no.
      if (!client.connected) return
      const failure = new Failure(
        'NOT_AUTHORISED',
        `the broker refused ${toFilter(channel)} to ${clientId}`,
        {
          cause,
          hint: 'check the access rules of the broker for the coordinator; where the site has certificates it connects with mqtts://',
        },
      )
      awaited.get(channel)?.forEach(({ reject }) => reject(failure))
      awaited.delete(channel)
      return
    }
    awaited.get(channel)?.forEach(({ resolve }) => resolve())
    awaited.delete(channel)
  }

  client.on('connect', () => {
    failures = 0
    lastError = undefined
    if (incidentListeners.size > 0) subscribeIncidents()
    void Promise.all([...listeners.keys()].map(subscribeNow)).then(() => {
      if (client.connected) for (const listener of onConnectListeners) listener()
    })
  })
  client.on('close', retryLater)
  // Told by `connected`, `onConnect` and every publish that fails.
  client.on('error', (error) => {
    lastError = error
  })
  client.on('message', (topicName, payload, { retain }) => {
    if (topicName.startsWith(incidentPrefix)) {
      const incident = parseJsonMessage(incidentSchema, payload, incidentBytesMax)
      if (incident.ok) for (const listener of incidentListeners) listener(incident.value)
      return
    }
    const topic = parseTopic(topicName)
    if (topic === undefined || payload.byteLength > limits.packetBytesMax) return
    const { channel, ...where } = topic
    for (const listener of listeners.get(channel) ?? []) listener({ ...where, payload, retained: retain })
  })

  const unreachable = (cause: unknown = lastError): Failure => {
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    return new Failure('BROKER_UNREACHABLE', `no connection to the broker at ${url}${why}`, {
      cause,
      retryable: true,
      hint: 'start the broker, or correct --broker, --broker-ca, --broker-cert and --broker-key',
    })
  }

  void connectNow(() => client.connect())

  return {
    subscribe: async (channel, listener) => {
      const known = listeners.get(channel) ?? new Set()
      listeners.set(channel, known.add(listener))
      await new Promise<void>((resolve, reject) => {
        awaited.set(channel, [...(awaited.get(channel) ?? []), { resolve, reject }])
        // Also for a second listener of a channel: it is owed the retained messages.
        if (client.connected) void subscribeNow(channel)
      })
    },
    publish: async (channel, address, payload, id) => {
      const { qos, retain, identified } = channels[channel]
      invariant(identified === (id !== undefined), `${channel} ${identified ? 'needs an' : 'has no'} id`)
      await inFlight.pass(async () => {
        if (!client.connected) throw unreachable()
        const sent = client.publishAsync(toTopic(address, channel, id), Buffer.from(payload), { qos, retain })
        await withTimeout(sent, publishTimeoutMs, unreachable)
      })
    },
    onConnect: (listener) => {
      onConnectListeners.add(listener)
      if (client.connected) queueMicrotask(listener)
      return () => onConnectListeners.delete(listener)
    },
    onIncident: (listener) => {
      incidentListeners.add(listener)
      if (client.connected) subscribeIncidents()
    },
    connected: () => client.connected,
    close: async () => {
      isClosed = true
      clearTimeout(retryTimer)
      for (const waiting of awaited.values()) waiting.forEach(({ reject }) => reject(unreachable()))
      await client.endAsync(!client.connected)
    },
  }
}

const requireSafe = (url: string): void => {
  const { protocol, hostname } = new URL(url)
  if (protocol === 'mqtts:' || protocol === 'wss:' || isLoopback(hostname)) return
  throw new Failure('INSECURE_URL', `${url} would carry readings and commands in the clear`, {
    hint: 'use mqtts:// for a broker on another machine',
  })
}

const withTimeout = async (sent: Promise<unknown>, timeoutMs: number, fail: (cause?: unknown) => Failure) => {
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([
      sent.catch((cause: unknown) => {
        throw fail(cause)
      }),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(fail()), timeoutMs)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}
