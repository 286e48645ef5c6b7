/**
 * Who may publish and subscribe to what (protocol.md, "Topics"): an agent speaks and listens below its own name, the
 * coordinator answers, technicians command, and everybody may watch what agents say.
 *
 * Until connections carry certificates (plain MQTT, loopback only) a client is who its id says:
 *   agent:{site}:{agent} · coordinator:{anything} · anything else is a technician of that name
 * A claim proves nothing, so a technician's client may also speak for agents: a simulated agent written with any MQTT
 * library needs no special id. Whoever claims to be an agent is held to that one.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { channels, groupAgent, isName, parseTopic, type Address, type Topic } from '@imlma/protocol/wire'

export type Identity =
  | ({ readonly role: 'agent' } & Address)
  | { readonly role: 'coordinator' }
  | { readonly role: 'technician'; readonly name: string }

export type PublishRefusal = 'UNKNOWN_TOPIC' | 'FOREIGN_TOPIC' | 'RETAINED'

/** Characters of a client id; MQTT allows 65,535, and ids are keys of tables that live as long as the broker. */
const clientIdLengthMax = 256

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

/** The topic that is published to, or why it must not be. */
export const decidePublish = (
  identity: Identity,
  topicName: string,
  retain: boolean,
): Result<Topic, PublishRefusal> => {
  const topic = parseTopic(topicName)
  if (topic === undefined) return refuse('UNKNOWN_TOPIC', `${topicName} is no topic of ours`)
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
  if (filter.startsWith('$')) return false
  if (identity.role !== 'agent') return true
  const { site, agent } = identity
  return (
    filter.startsWith(`imlma/v1/${site}/${agent}/`) ||
    filter.startsWith(`imlma/v1/${site}/${groupAgent}/command/`)
  )
}

const maySpeak = (identity: Identity, topic: Topic): boolean => {
  const { from } = channels[topic.channel]
  switch (identity.role) {
    case 'agent':
      return from === 'agent' && topic.site === identity.site && topic.agent === identity.agent
    case 'coordinator':
      return from === 'coordinator'
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
    case 'technician':
      return `client ${identity.name}`
  }
}
