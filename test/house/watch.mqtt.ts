/** An ordinary MQTT client beside the house: hears what agents say, and says what it is told to, signed or not. */

import { randomUUID } from 'node:crypto'
import { connectAsync } from 'mqtt'
import { desiredSchema, type Envelope } from '@imlma/protocol/trust'
import {
  encodeJson,
  reportedSchema,
  parseTopic,
  toFilter,
  toTopic,
  type CommandResult,
  type Reported,
} from '@imlma/protocol/wire'

export const site = 'demo'

export interface Heard<Message> {
  readonly agent: string
  readonly retained: boolean
  readonly message: Message
}

export interface Watch {
  /** Every result so far, in order. */
  readonly results: () => readonly Heard<CommandResult>[]
  /** Every report of an agent so far, in order; a retained one only comes first. */
  readonly reports: (agent: string) => readonly Heard<Reported>[]
  /** Counters of the assignments that an agent was sent, in order; the same one may come again. */
  readonly told: (agent: string) => readonly number[]
  /** The order that was sent under this name, as its bytes say it. */
  readonly order: (commandId: string) => Envelope | undefined
  /** Publishes on an agent's `command/{commandId}`, as JSON unless it is text already. */
  readonly command: (
    agent: string,
    commandId: string,
    payload: unknown,
    options?: { readonly retain?: boolean },
  ) => Promise<void>
  readonly end: () => Promise<void>
}

/** A broker's door for those with a certificate, and one of the control centre's own where the site has any. */
export interface Inside {
  readonly url: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** `clientId`: as whom orders are sent; a technician where nothing is said. What is heard, the control centre could hear. */
export const watchAgents = async (
  broker: string,
  { url, ...tls }: Inside,
  clientId = `technician-${randomUUID()}`,
): Promise<Watch> => {
  const options = { protocolVersion: 4, clean: true } as const
  const [client, ear] = await Promise.all([
    connectAsync(broker, { ...options, clientId }),
    connectAsync(url, { ...options, ...tls, clientId: `coordinator:${site}-${randomUUID()}` }),
  ])
  const results: Heard<CommandResult>[] = []
  const reports: Heard<Reported>[] = []
  const orders = new Map<string, Envelope>()
  const told: { agent: string; counter: number }[] = []
  ear.on('message', (topic, payload, { retain: retained }) => {
    const { agent, channel, id = '' } = parseTopic(topic) ?? {}
    if (agent === undefined) return
    const text = payload.toString()
    if (channel === 'command') {
      // What is no JSON was sent to be refused, and is not looked at again.
      if (text.startsWith('{')) orders.set(id, JSON.parse(text) as Envelope)
      return
    }
    const message: unknown = JSON.parse(text)
    if (channel === 'desired') {
      const { payload: document } = message as Envelope
      told.push({ agent, counter: desiredSchema.parse(JSON.parse(atob(document))).counter })
    }
    if (channel === 'result') results.push({ agent, retained, message: message as CommandResult })
    if (channel === 'reported') reports.push({ agent, retained, message: reportedSchema.parse(message) })
  })
  const filters = (['result', 'reported', 'command', 'desired'] as const).map((channel) =>
    toFilter(channel, { site }),
  )
  await ear.subscribeAsync(filters, { qos: 1 })
  return {
    results: () => results,
    reports: (agent) => reports.filter((each) => each.agent === agent),
    told: (agent) => told.filter((each) => each.agent === agent).map(({ counter }) => counter),
    order: (commandId) => orders.get(commandId),
    command: async (agent, commandId, payload, { retain = false } = {}) => {
      const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(encodeJson(payload))
      await client.publishAsync(toTopic({ site, agent }, 'command', commandId), bytes, { qos: 1, retain })
    },
    end: async () => {
      await Promise.all([client.endAsync(true), ear.endAsync(true)])
    },
  }
}
