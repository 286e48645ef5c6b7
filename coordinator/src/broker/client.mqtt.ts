/**
 * The control centre's connection to its broker, embedded or outside, by mqtt.js. It reconnects on its own, with a
 * pause that grows and is drawn at random (a fleet of clients would otherwise come back in step), and subscribes again.
 */

import { connect } from 'mqtt'
import { limits } from '@imlma/protocol/limits'
import { Failure, invariant } from '@imlma/protocol/result'
import { channels, parseTopic, toFilter, toTopic, type ChannelName } from '@imlma/protocol/wire'
import type { BrokerClient, BrokerMessage } from './client.ts'
import { createInFlight } from './in-flight.ts'
import { isLoopback } from './listener.net.ts'

export interface BrokerClientOptions {
  /** `mqtt://127.0.0.1:1883`, or `mqtts://…` anywhere. */
  readonly url: string
  /** `coordinator:{name}`, or any name of a technician's tool. */
  readonly clientId: string
  readonly username?: string
  readonly password?: string
  /** An unanswered publish is given up after this time; it may still arrive. */
  readonly publishTimeoutMs?: number
}

/** Publishes under way: enough to fill a link, few enough that a broker's queue (Mosquitto: 1,000) never overflows. */
const inFlightMax = 64

/** Publishes that wait for a place: an assignment and a chunk for each agent of the largest embedded fleet. */
const waitingMax = 10_000

const pauseMsMin = 200
const pauseMsMax = 5_000

/** Connects in the background. Throws `Failure` INSECURE_URL. */
export const createBrokerClient = ({
  url,
  clientId,
  username,
  password,
  publishTimeoutMs = 10_000,
}: BrokerClientOptions): BrokerClient => {
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
          hint: 'check the access rules of the broker for the coordinator',
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
    void Promise.all([...listeners.keys()].map(subscribeNow)).then(() => {
      if (client.connected) for (const listener of onConnectListeners) listener()
    })
  })
  client.on('close', () => {
    if (isClosed || retryTimer !== undefined) return
    const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** failures) * (0.5 + Math.random())
    failures += 1
    retryTimer = setTimeout(() => {
      retryTimer = undefined
      client.reconnect()
    }, pauseMs)
  })
  // Told by `connected`, `onConnect` and every publish that fails.
  client.on('error', () => undefined)
  client.on('message', (topicName, payload, { retain }) => {
    const topic = parseTopic(topicName)
    if (topic === undefined || payload.byteLength > limits.packetBytesMax) return
    const { channel, ...where } = topic
    for (const listener of listeners.get(channel) ?? []) listener({ ...where, payload, retained: retain })
  })

  const unreachable = (cause?: unknown): Failure =>
    new Failure('BROKER_UNREACHABLE', `no connection to the broker at ${url}`, {
      cause,
      retryable: true,
      hint: 'start the broker, or correct --broker',
    })

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
