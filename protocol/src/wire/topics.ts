/**
 * The one table of MQTT topics: who sends what to whom, with which quality of service.
 *
 *   imlma/v1/{site}/{agent}/{channel}[/{id}]
 *
 * Names are fixed (protocol.md, "Topics"); outside clients depend on them.
 */

const prefix = 'imlma/v1'
const namePattern = /^[A-Za-z0-9_-]{1,64}$/

/** The pseudo agent that a command to every agent of a site is addressed to. */
export const groupAgent = '_all'

type Sender = 'agent' | 'coordinator' | 'technician'

interface Channel {
  readonly from: Sender
  readonly qos: 1
  readonly retain: boolean
  /** True when the topic ends in an identity of the message: a request or a command. */
  readonly identified: boolean
  readonly encoding: 'json' | 'cbor'
}

export const channels = {
  presence: { from: 'agent', qos: 1, retain: true, identified: false, encoding: 'json' },
  readings: { from: 'agent', qos: 1, retain: false, identified: false, encoding: 'cbor' },
  ack: { from: 'coordinator', qos: 1, retain: false, identified: false, encoding: 'json' },
  reported: { from: 'agent', qos: 1, retain: true, identified: false, encoding: 'json' },
  report: { from: 'agent', qos: 1, retain: false, identified: false, encoding: 'cbor' },
  alarm: { from: 'agent', qos: 1, retain: false, identified: false, encoding: 'json' },
  desired: { from: 'coordinator', qos: 1, retain: true, identified: false, encoding: 'json' },
  fetch: { from: 'agent', qos: 1, retain: false, identified: false, encoding: 'json' },
  chunk: { from: 'coordinator', qos: 1, retain: false, identified: true, encoding: 'cbor' },
  command: { from: 'technician', qos: 1, retain: false, identified: true, encoding: 'json' },
  result: { from: 'agent', qos: 1, retain: false, identified: true, encoding: 'json' },
  audit: { from: 'agent', qos: 1, retain: false, identified: false, encoding: 'json' },
  'audit-ack': { from: 'coordinator', qos: 1, retain: false, identified: false, encoding: 'json' },
} as const satisfies Record<string, Channel>

export type ChannelName = keyof typeof channels

export interface Address {
  readonly site: string
  readonly agent: string
}

export interface Topic extends Address {
  readonly channel: ChannelName
  /** Request or command id; present exactly on identified channels. */
  readonly id?: string
}

/** True for a site, agent, model, meter-independent name that may stand in a topic. */
export const isName = (name: string): boolean => namePattern.test(name)

/** The topic string of a channel; `id` belongs to identified channels only. */
export const toTopic = ({ site, agent }: Address, channel: ChannelName, id?: string): string =>
  `${prefix}/${site}/${agent}/${channel}${id === undefined ? '' : `/${id}`}`

/** The filter under which one channel of every agent of every site is received; `+` stands for each name. */
export const toFilter = (channel: ChannelName, address: Partial<Address> = {}): string =>
  toTopic(
    { site: address.site ?? '+', agent: address.agent ?? '+' },
    channel,
    channels[channel].identified ? '+' : undefined,
  )

/** The parts of a topic string, or undefined where it is none of ours. */
export const parseTopic = (topic: string): Topic | undefined => {
  const [root, version, site, agent, channel, id, ...rest] = topic.split('/')
  if (`${root}/${version}` !== prefix || rest.length > 0) return undefined
  if (site === undefined || agent === undefined || channel === undefined) return undefined
  if (!isName(site) || !isName(agent) || !isChannel(channel)) return undefined
  if (channels[channel].identified !== (id !== undefined)) return undefined
  if (id === undefined) return { site, agent, channel }
  return isName(id) ? { site, agent, channel, id } : undefined
}

const isChannel = (name: string): name is ChannelName => Object.hasOwn(channels, name)
