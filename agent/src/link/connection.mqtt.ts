/**
 * One connection to the broker, from the first packet to its end. mqtt.js carries a store from one connection to the
 * next that nothing bounds; here a client lives as long as its connection, and the session lives at the broker.
 */

import type { SecureContextOptions } from 'node:tls'
import { setTimeout as wait } from 'node:timers/promises'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import { createInFlight, type InFlightOptions, type Send } from './in-flight.timer.ts'

export interface Outgoing {
  readonly topic: string
  readonly payload: Uint8Array
  readonly retain: boolean
}

export interface Incoming {
  readonly topic: string
  readonly payload: Uint8Array
  readonly retained: boolean
}

/** Certificate authority, own certificate and key, as PEM; all of them where the broker asks for certificates. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
}

export interface ConnectionOptions extends InFlightOptions {
  readonly url: string
  readonly clientId: string
  readonly will: Outgoing
  readonly filters: readonly string[]
  readonly tls?: TlsOptions
  /** The broker is asked for a sign of life this often; half as much again without one ends the connection. */
  readonly keepaliveS: number
  readonly connectTimeoutMs: number
  /** A packet without PUBACK for so long ends the connection: the way to the broker is there, the broker is not. */
  readonly pubackTimeoutMs: number
}

export interface ConnectionEvents {
  /** Connected and subscribed. */
  readonly ready: () => void
  readonly message: (message: Incoming) => void
  /** Once, whatever the reason, also when `ready` never came. */
  readonly ended: (cause: unknown) => void
}

export interface Connection {
  /** Resolves on PUBACK. Rejects with `Failure` LINK_DOWN or LINK_BUSY. */
  readonly publish: (message: Outgoing) => Promise<void>
  /** Publishes `farewell` and leaves in order: the broker then does not publish the will. */
  readonly disconnect: (farewell: Outgoing) => Promise<void>
}

export const openConnection = (options: ConnectionOptions, events: ConnectionEvents): Connection => {
  const { url, filters, connectTimeoutMs, pubackTimeoutMs } = options
  const inFlight = createInFlight(options)
  const client = connect(url, toClientOptions(options))
  let reason: unknown
  let isOver = false

  const end = (cause: unknown): void => {
    if (isOver) return
    isOver = true
    clearInterval(watchdog)
    clearTimeout(deadline)
    client.end(true)
    inFlight.fail(cause)
    events.ended(cause)
  }

  const deadline = setTimeout(
    () => end(new Error(`no answer within ${connectTimeoutMs} ms`)),
    connectTimeoutMs,
  )
  const watchdog = setInterval(() => {
    if (inFlight.oldestMs() > pubackTimeoutMs) end(new Error(`no PUBACK within ${pubackTimeoutMs} ms`))
  }, pubackTimeoutMs / 4)

  client.on('error', (cause) => {
    reason = cause
    if (!client.connected) end(cause)
  })
  client.on('close', () => end(reason))
  client.on('message', (topic, payload, { retain }) => {
    if (!isOver) events.message({ topic, payload, retained: retain })
  })
  client.on('connect', () => {
    client.subscribe([...filters], { qos: 1 }, (cause, granted) => {
      if (isOver) return
      const refused = granted?.find(({ qos }) => qos === 128)
      if (cause !== null || refused !== undefined) {
        end(cause ?? new Error(`the broker refuses the subscription to ${refused?.topic}`))
        return
      }
      clearTimeout(deadline)
      events.ready()
    })
  })

  const publish = ({ topic, payload, retain }: Outgoing): Promise<void> => {
    const send: Send = (done) => void client.publish(topic, toBuffer(payload), { qos: 1, retain }, done)
    return inFlight.send(send)
  }

  return {
    publish,
    disconnect: async (farewell) => {
      if (!isOver && client.connected) {
        await orLater(publish(farewell), goodbyeMs)
        await orLater(endClient(client), goodbyeMs)
      }
      end(new Error('closed'))
    },
  }
}

/** Milliseconds that a goodbye may take. */
const goodbyeMs = 1_000

/** mqtt.js hands to `node:tls` whatever it is given. */
const toClientOptions = (
  options: ConnectionOptions,
): IClientOptions & Pick<SecureContextOptions, 'minVersion'> => {
  const { clientId, will, tls = {}, keepaliveS, connectTimeoutMs } = options
  return {
    clientId,
    clean: false,
    protocolVersion: 4,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    keepalive: keepaliveS,
    connectTimeout: connectTimeoutMs,
    will: { topic: will.topic, payload: toBuffer(will.payload), qos: 1, retain: will.retain },
    minVersion: 'TLSv1.3',
    ...(tls.ca === undefined ? {} : { ca: toPem(tls.ca) }),
    ...(tls.cert === undefined ? {} : { cert: toPem(tls.cert) }),
    ...(tls.key === undefined ? {} : { key: toPem(tls.key) }),
  }
}

const toPem = (pem: string | Uint8Array): string | Buffer => (typeof pem === 'string' ? pem : toBuffer(pem))

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const endClient = (client: MqttClient): Promise<void> =>
  new Promise((resolve) => {
    client.end(false, {}, () => resolve())
  })

/** Resolves when the work has ended, however it ended, or after `waitMs`. */
const orLater = async (work: Promise<void>, waitMs: number): Promise<void> => {
  const settled = new AbortController()
  const later = wait(waitMs, undefined, { signal: settled.signal })
  await Promise.allSettled([Promise.race([work, later])])
  settled.abort()
  await Promise.allSettled([later])
}
