/**
 * The embedded broker: aedes with the settings without which it breaks, the access table in front of every publish and
 * subscribe, and readings handed to ingest before their PUBACK.
 *
 * A forbidden publish is taken off the client, counted and acknowledged, but delivered to nobody: refusing it would
 * close the connection, and every client library sends the same packet first when it comes back. Only a false identity
 * costs the connection.
 */

import { Aedes, type AedesPublishPacket, type Client } from 'aedes'
import {
  channels,
  groupAgent,
  parseTopic,
  toTopic,
  type Address,
  type ChannelName,
  type Topic,
} from '@imlma/protocol/wire'
import { Failure, invariant } from '@imlma/protocol/result'
import { decidePublish, maySubscribe, nameOf, parseIdentity, type Identity } from './access.ts'
import type { Broker, BrokerHooks, QuarantineCode } from './broker.ts'
import { listen } from './listener.net.ts'
import { boundQueues } from './queue-bound.aedes.ts'

export interface BrokerOptions {
  readonly host?: string
  /** 0 lets the system choose. */
  readonly port: number
}

/** A subscriber that stops reading is cut after this time; until then it holds up everyone on a shared topic. */
const drainTimeoutMs = 3_000

/** A connection must say who it is within this time. */
const connectTimeoutMs = 10_000

/** Messages kept for an agent that is away: far above the commands that a month brings. */
const queuedMessagesMax = 1_000

const quarantinePrefix = '$imlma/quarantine'

/** Listens on return. Throws `Failure` PORT_TAKEN, NOT_LOOPBACK, LISTEN_FAILED. */
export const createBroker = async (
  { onReadings, onPresence, onQuarantine }: BrokerHooks,
  { host = '127.0.0.1', port }: BrokerOptions,
): Promise<Broker> => {
  const identities = new WeakMap<Client, Identity>()
  const agents = new Map<Client, Address>()
  const unacknowledged = new Set<Client>()
  const quarantined: Partial<Record<QuarantineCode, number>> = {}
  let published = 0
  let subscriptionsRefused = 0
  let identitiesRefused = 0
  let packetsCut = 0

  /** Takes a publish off its client: nobody receives it, nothing is retained. */
  const divert = (client: Identity, packet: AedesPublishPacket, code: QuarantineCode): void => {
    quarantined[code] = (quarantined[code] ?? 0) + 1
    onQuarantine?.(nameOf(client), packet.topic, code)
    packet.topic = `${quarantinePrefix}/${code}`
    packet.payload = ''
    packet.retain = false
  }

  /**
   * A stored command would reach every agent that comes later, so it is never stored. The agent gets it as what it
   * is, with the retain flag: it refuses it in its own name, and the technician learns why.
   */
  const handOnUnstored = ({ topic, payload }: AedesPublishPacket): void => {
    const address = parseTopic(topic)
    if (address?.channel !== 'command') return
    for (const [client, identity] of agents) {
      const isMeant = identity.site === address.site && [identity.agent, groupAgent].includes(address.agent)
      if (!isMeant) continue
      // Without quality of service nothing of it is kept for the agent's session either.
      client.publish({ cmd: 'publish', topic, payload, qos: 0, retain: true, dup: false }, () => undefined)
    }
  }

  const takeReadings = async (
    client: Client | null,
    packet: AedesPublishPacket,
    topic: Topic,
    done: () => void,
  ): Promise<void> => {
    try {
      await onReadings(topic, toBytes(packet.payload))
    } catch {
      // Without quality of service there is no PUBACK: the client keeps the message, and its connection.
      divert({ role: 'agent', ...topic }, packet, 'NOT_STORED')
      packet.qos = 0
      if (client !== null) unacknowledged.add(client)
    }
    done()
  }

  const aedes = await Aedes.createBroker({
    // Unlimited: with a limit, delivery falls behind the acknowledged publishes until memory is full.
    concurrency: 0,
    drainTimeout: drainTimeoutMs,
    connectTimeout: connectTimeoutMs,
    preConnect: (_client, packet, done) => {
      // Only agents have sessions that outlive a connection: anybody else's would gather messages for ever.
      const identity = parseIdentity(packet.clientId)
      if (identity.ok && identity.value.role !== 'agent') packet.clean = true
      done(null, true)
    },
    authenticate: (client, _username, _password, done) => {
      const identity = identityOf(client)
      if (identity === undefined) {
        identitiesRefused += 1
        done(null, false)
        return
      }
      identities.set(client, identity)
      if (identity.role === 'agent') agents.set(client, identity)
      done(null, true)
    },
    authorizePublish: (client, packet, done) => {
      const wire = packet as AedesPublishPacket
      const identity = client === null ? undefined : identities.get(client)
      // The will of a client of a broker before this one has no client any more; it is not ours to judge.
      if (identity === undefined) return done(new Error('no identity'))
      const decision = decidePublish(identity, wire.topic, wire.retain)
      if (!decision.ok) {
        if (decision.refusal.code === 'RETAINED') handOnUnstored(wire)
        divert(identity, wire, decision.refusal.code)
        return done(null)
      }
      published += 1
      const topic = decision.value
      if (topic.channel === 'readings') {
        void takeReadings(client, wire, topic, done)
        return
      }
      if (topic.channel === 'presence') onPresence(topic, toBytes(wire.payload))
      done(null)
    },
    authorizeSubscribe: (client, subscription, done) => {
      const identity = identities.get(client)
      const isAllowed = identity !== undefined && maySubscribe(identity, subscription.topic)
      if (!isAllowed) subscriptionsRefused += 1
      done(null, isAllowed ? subscription : null)
    },
  })
  boundQueues(aedes, queuedMessagesMax)
  aedes.on('clientDisconnect', (client) => {
    unacknowledged.delete(client)
    agents.delete(client)
  })

  const close = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      aedes.close(resolve)
    })
  }

  const listener = await listen({
    host,
    port,
    onConnection: (socket) => aedes.handle(socket),
    onPacketCut: () => {
      packetsCut += 1
    },
  }).catch(async (failure: unknown) => {
    await close()
    throw failure
  })

  const publish: Broker['publish'] = async (channel: ChannelName, address, payload, id) => {
    const { qos, retain, identified } = channels[channel]
    invariant(identified === (id !== undefined), `${channel} ${identified ? 'needs an' : 'has no'} id`)
    const topic = toTopic(address, channel, id)
    const packet = { cmd: 'publish' as const, topic, qos, retain, dup: false, payload: Buffer.from(payload) }
    await new Promise<void>((resolve, reject) => {
      aedes.publish(packet, (cause) => {
        if (cause) reject(new Failure('BROKER_UNREACHABLE', 'the embedded broker is closed', { cause }))
        else resolve()
      })
    })
  }

  return {
    host,
    port: listener.port,
    url: `mqtt://${host.includes(':') ? `[${host}]` : host}:${listener.port}`,
    publish,
    retryUnacknowledged: () => {
      for (const client of unacknowledged) client.close()
      unacknowledged.clear()
    },
    counters: () => ({
      clients: aedes.connectedClients,
      published,
      quarantined: { ...quarantined },
      subscriptionsRefused,
      identitiesRefused,
      packetsCut,
    }),
    close: async () => {
      await listener.close()
      await close()
    },
  }
}

/** Who is at the other end. The one place that changes when connections carry certificates. */
const identityOf = (client: Client): Identity | undefined => {
  const identity = parseIdentity(client.id)
  return identity.ok ? identity.value : undefined
}

const toBytes = (payload: AedesPublishPacket['payload']): Uint8Array =>
  typeof payload === 'string' ? Buffer.from(payload) : payload
