/**
 * Who may publish and subscribe to what (protocol.md, "Topics"): an agent speaks and listens below its own name, the
 * coordinator answers, technicians command, and everybody may watch what agents say.
 *
 * A connection with a certificate is who the certificate says, and its client id must say the same. A plain one
 * (loopback only) is who its id says:
 *   agent:{site}:{agent} · coordinator:{anything} · anything else is a technician of that name
 * A claim proves nothing, so a technician's client may also speak for agents: a simulated agent written with any MQTT
 * library needs no special id. Whoever claims to be an agent is held to that one.
 *
 * Where the site has certificates, a plain connection is a guest: it may pass on commands, which are signed, and watch
 * what agents say of themselves. It speaks for nobody.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  channels,
  groupAgent,
  isName,
  parseTopic,
  type Address,
  type ChannelName,
  type Topic,
} from '@imlma/protocol/wire'

export type Identity =
  | ({ readonly role: 'agent' } & Address)
  | { readonly role: 'coordinator' }
  | { readonly role: 'technician' | 'guest'; readonly name: string }

/** What a verified certificate says of its holder, as far as a broker asks. */
export interface Holder {
  readonly kind: string
  readonly site: string
  readonly name: string
}

export type PublishRefusal = 'UNKNOWN_TOPIC' | 'FOREIGN_TOPIC' | 'RETAINED'

/** Characters of a client id; MQTT allows 65,535, and ids are keys of tables that live as long as the broker. */
const clientIdLengthMax = 256

/** Characters of a topic that is looked at: three times the longest of ours. */
const topicLengthMax = 1_024

/** What a guest may hear: what agents say of themselves, and no readings. */
export const guestHears: readonly ChannelName[] = ['presence', 'reported', 'alarm', 'result']

/** Topics on which the embedded broker tells the control centre what it refused. */
export const incidentPrefix = '$imlma/incident'

/** The identity that a client id claims, or why it is none. */
export const parseIdentity = (clientId: string): Result<Identity, 'BAD_IDENTITY'> => {
  if (clientId.length > clientIdLengthMax) return refuse('BAD_IDENTITY', 'the client id is too long')
  const [role, site = '', agent = '', ...rest] = clientId.split(':')
  if (role === 'coordinator') return accept({ role: 'coordinator' })
  if (role !== 'agent' || clientId === 'agent') return accept({ role: 'technician', name: clientId })
  if (rest.length > 0 || !isName(site) || !isName(agent) || agent === groupAgent) {
    return refuse('BAD_IDENTITY', `${clientId} names no agent`, 'use agent:{site}:{agent} as the client id')
  }
  return accept({ role: 'agent', site, agent })
}

/** Who a client with a certificate is; refused where its id does not say the same. */
export const bindIdentity = (holder: Holder, clientId: string): Result<Identity, 'BAD_IDENTITY'> => {
  const { kind, site, name } = holder
  const claimed = parseIdentity(clientId)
  if (claimed.ok && claimed.value.role === kind) {
    if (kind === 'coordinator') return claimed
    if (claimed.value.role === 'agent' && claimed.value.site === site && claimed.value.agent === name) {
      return claimed
    }
  }
  return refuse(
    'BAD_IDENTITY',
    `the certificate is for ${kind} ${site}/${name}, the client id says ${clientId.slice(0, clientIdLengthMax)}`,
    'an agent connects as agent:{site}:{agent}, with the names of its certificate',
  )
}

/** Who a plain client is where the site has certificates: nobody that has one. */
export const parseGuest = (clientId: string): Result<Identity, 'BAD_IDENTITY'> => {
  const claimed = parseIdentity(clientId)
  if (!claimed.ok) return claimed
  if (claimed.value.role === 'technician') return accept({ role: 'guest', name: clientId })
  return refuse(
    'BAD_IDENTITY',
    `${clientId} connects without a certificate`,
    'agents and coordinators connect with TLS (mqtts://)',
  )
}

/** The topic that is published to, or why it must not be. */
export const decidePublish = (
  identity: Identity,
  topicName: string,
  retain: boolean,
): Result<Topic, PublishRefusal> => {
  const topic = topicName.length > topicLengthMax ? undefined : parseTopic(topicName)
  if (topic === undefined) return refuse('UNKNOWN_TOPIC', `${topicName.slice(0, 100)} is no topic of ours`)
  const channel = channels[topic.channel]
  if (!maySpeak(identity, topic)) {
    return refuse('FOREIGN_TOPIC', `${nameOf(identity)} must not publish ${topicName}`)
  }
  if (retain && !channel.retain) {
    return refuse(
      'RETAINED',
      `${topic.channel} is never retained`,
      'publish it again without the retain flag',
    )
  }
  return accept(topic)
}

/** Whether the client may receive what the filter matches. `$SYS` and quarantine are nobody's. */
export const maySubscribe = (identity: Identity, filter: string): boolean => {
  if (filter.length > topicLengthMax) return false
  if (filter.startsWith('$')) return identity.role === 'coordinator' && filter === `${incidentPrefix}/+`
  switch (identity.role) {
    case 'agent':
      return isBelow(identity, filter)
    case 'guest':
      return isHeardByGuests(filter)
    default:
      return true
  }
}

/** Whether a message of this topic may be handed to the client, whatever it has subscribed to. */
export const mayReceive = (identity: Identity, topicName: string): boolean =>
  topicName.startsWith(`${incidentPrefix}/`)
    ? identity.role === 'coordinator'
    : maySubscribe(identity, topicName)

const isBelow = ({ site, agent }: Address, filter: string): boolean =>
  filter.startsWith(`imlma/v1/${site}/${agent}/`) ||
  filter.startsWith(`imlma/v1/${site}/${groupAgent}/command/`)

/** The channel is named: a filter that ends in `#` above it would also match readings. */
const isHeardByGuests = (filter: string): boolean => {
  const [root, version, , , channel] = filter.split('/')
  return root === 'imlma' && version === 'v1' && guestHears.some((each) => each === channel)
}

const maySpeak = (identity: Identity, topic: Topic): boolean => {
  const { from } = channels[topic.channel]
  switch (identity.role) {
    case 'agent':
      return from === 'agent' && topic.site === identity.site && topic.agent === identity.agent
    case 'coordinator':
      return from === 'coordinator'
    case 'guest':
      return from === 'technician'
    case 'technician':
      return from === 'technician' || (from === 'agent' && topic.agent !== groupAgent)
  }
}

/** As it appears in counters and logs. */
export const nameOf = (identity: Identity): string => {
  switch (identity.role) {
    case 'agent':
      return `agent ${identity.site}/${identity.agent}`
    case 'coordinator':
      return 'coordinator'
    case 'guest':
    case 'technician':
      return `client ${identity.name}`
  }
}
