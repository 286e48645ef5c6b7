/**
 * The embedded broker: aedes with the settings without which it breaks, the access table in front of every publish and
 * subscribe, and readings handed to ingest before their PUBACK.
 *
 * A forbidden publish is taken off the client, counted and acknowledged, but delivered to nobody: refusing it would
 * close the connection, and every client library sends the same packet first when it comes back. Only a false identity
 * costs the connection. What was refused is told to the control centre as an incident.
 */

import { Aedes, type AedesPublishPacket, type AuthenticateError, type Client } from 'aedes'
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
import {
  decidePublish,
  mayReceive,
  maySubscribe,
  nameOf,
  parseIdentity,
  type Holder,
  type Identity,
} from './access.ts'
import { createAdmission, type AdmissionOptions } from './admission.ts'
import type { Broker, BrokerHooks, QuarantineCode } from './broker.ts'
import { toHostname } from './listener.net.ts'
import { openDoors, type DoorsOptions } from './doors.tls.ts'
import { createIncidentChannel } from './incident-channel.timer.ts'
import type { IncidentOptions, Refused } from './incidents.ts'
import { boundQueues } from './queue-bound.aedes.ts'
import { guardSessions } from './session-guard.aedes.ts'

export interface BrokerOptions extends Omit<DoorsOptions, 'host'>, AdmissionOptions, IncidentOptions {
  readonly host?: string
}

/** A subscriber that stops reading is cut after this time; until then it holds up everyone on a shared topic. */
const drainTimeoutMs = 3_000

/** A connection must say who it is within this time. */
const connectTimeoutMs = 10_000

/** Levels of a topic; ours have six. More than this ends the connection before anything is matched. */
const topicLevelsMax = 16

/** Filters of one client: an agent needs five, the control centre one a channel. */
const subscriptionsMax = 64

/** Messages with quality of service 2 that one client has begun and not released; nobody of ours sends any. */
const inflightInboundMax = 64

/** Messages kept for an agent that is away: far above the commands that a month brings. */
const queuedMessagesMax = 1_000

const quarantinePrefix = '$imlma/quarantine'

/** Listens on return. Throws `Failure` PORT_TAKEN, NOT_LOOPBACK, LISTEN_FAILED. */
export const createBroker = async (
  { onReadings, onPresence, onQuarantine, onTrouble }: BrokerHooks,
  { host = '127.0.0.1', ...options }: BrokerOptions,
): Promise<Broker> => {
  const { certified } = options
  const admit = createAdmission(certified !== undefined, options)
  const incidents = createIncidentChannel((topic, payload) => {
    aedes.publish({ cmd: 'publish', topic, payload, qos: 1, retain: true, dup: false }, () => undefined)
  }, options)
  const identities = new WeakMap<Client, Identity>()
  const agents = new Map<Client, Address>()
  const unacknowledged = new Set<Client>()
  const quarantined: Partial<Record<QuarantineCode, number>> = {}
  let published = 0
  let subscriptionsRefused = 0
  let identitiesRefused = 0
  let connectsRefused = 0
  let clientsFailed = 0

  /** Takes a publish off its client: nobody receives it, nothing is retained. */
  const divert = (client: Identity, packet: AedesPublishPacket, code: QuarantineCode): void => {
    quarantined[code] = (quarantined[code] ?? 0) + 1
    onQuarantine?.(nameOf(client), packet.topic.slice(0, 200), code)
    if (code !== 'NOT_STORED') {
      const agent = client.role === 'agent' ? client.agent : null
      incidents.note({ code, client: nameOf(client), agent, detail: packet.topic })
    }
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
    maxTopicLevels: topicLevelsMax,
    maxInflightInbound: inflightInboundMax,
    preConnect: (_client, packet, done) => {
      // Only agents have sessions that outlive a connection: anybody else's would gather messages for ever.
      const identity = parseIdentity(packet.clientId)
      if (identity.ok && identity.value.role !== 'agent') packet.clean = true
      done(null, true)
    },
    authenticate: (client, _username, _password, done) => {
      const holder = doors.peerOf(client.conn)?.holder
      const admission = admit(client.id, holder, doors.openOf, Date.now())
      if (!admission.ok) {
        const { code, message } = admission.refusal
        if (code !== 'BAD_IDENTITY') {
          connectsRefused += 1
          done(unavailable(message), null)
          return
        }
        identitiesRefused += 1
        incidents.note({ code, ...culpritOf(client, holder), detail: message })
        done(null, false)
        return
      }
      const identity = admission.value
      identities.set(client, identity)
      if (identity.role === 'agent') agents.set(client, identity)
      doors.settle(client.conn, identity.role === 'coordinator')
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
      const held = Object.keys((client as unknown as { subscriptions: object }).subscriptions).length
      const isAllowed =
        identity !== undefined && held < subscriptionsMax && maySubscribe(identity, subscription.topic)
      if (!isAllowed) subscriptionsRefused += 1
      done(null, isAllowed ? subscription : null)
    },
    authorizeForward: (client, packet) => {
      const identity = identities.get(client)
      return identity !== undefined && mayReceive(identity, packet.topic) ? packet : null
    },
  })
  boundQueues(aedes, queuedMessagesMax)
  guardSessions(aedes, (client, filter) => {
    const identity = identities.get(client)
    return identity !== undefined && maySubscribe(identity, filter)
  })
  aedes.on('clientDisconnect', (client) => {
    unacknowledged.delete(client)
    agents.delete(client)
  })
  const fail = (): void => {
    clientsFailed += 1
  }
  aedes.on('clientError', fail)
  aedes.on('connectionError', fail)

  const close = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      aedes.close(resolve)
    })
  }

  const doors = await openDoors(
    {
      onConnection: (socket) => aedes.handle(socket),
      onRefused: incidents.note,
      onFailure: (error) => onTrouble?.(error),
    },
    { host, ...options },
  ).catch(async (failure: unknown) => {
    incidents.close()
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

  const port = (doors.plain ?? doors.certified)?.port ?? 0
  const certifiedUrl =
    certified && doors.certified && `mqtts://${toHostname(certified.host)}:${doors.certified.port}`
  return {
    host,
    port,
    url: doors.plain === undefined && certifiedUrl ? certifiedUrl : `mqtt://${toHostname(host)}:${port}`,
    ...(certifiedUrl === undefined ? {} : { certifiedUrl }),
    publish,
    retryUnacknowledged: () => {
      for (const client of unacknowledged) client.close()
      unacknowledged.clear()
    },
    renewTls: (material) => doors.certified?.renew(material),
    counters: () => ({
      ...doors.counters(),
      clients: aedes.connectedClients,
      published,
      quarantined: { ...quarantined },
      subscriptionsRefused,
      identitiesRefused,
      connectsRefused,
      clientsFailed,
    }),
    close: async () => {
      incidents.close()
      await doors.close()
      await close()
    },
  }
}

/** Who is to be named for a false identity: the holder of the certificate, or what the client calls itself. */
const culpritOf = (client: Client, holder: Holder | undefined): Pick<Refused, 'client' | 'agent'> =>
  holder === undefined
    ? { client: `client ${client.id}`, agent: null }
    : {
        client: `${holder.kind} ${holder.site}/${holder.name}`,
        agent: holder.kind === 'agent' ? holder.name : null,
      }

/** CONNACK 3: the client may try again later. */
const unavailable = (message: string): AuthenticateError => {
  const error: unknown = Object.assign(new Error(message), { returnCode: 3 })
  return error as AuthenticateError
}

const toBytes = (payload: AedesPublishPacket['payload']): Uint8Array =>
  typeof payload === 'string' ? Buffer.from(payload) : payload
