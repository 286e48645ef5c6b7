/** Publishes a signed order and gathers what the agents answer. Speaks to the broker alone. */

import { randomUUID } from 'node:crypto'
import { connectAsync, type MqttClient } from 'mqtt'
import { limits } from '@imlma/protocol/limits'
import { Failure } from '@imlma/protocol/result'
import {
  encodeJson,
  groupAgent,
  parseJsonMessage,
  parseTopic,
  presenceSchema,
  resultSchema,
  toFilter,
  toTopic,
  type CommandResult,
} from '@imlma/protocol/wire'
import type { Answers, Sending } from './command.ts'

const connectMs = 5_000
/** Retained presence of the agents comes right after the subscription; this long is waited for the first and after the last. */
const presenceQuietMs = 500
const finalStates = new Set(['succeeded', 'refused', 'failed'])

export const sendCommand = async (broker: string, sending: Sending): Promise<Answers> => {
  const client = await connect(broker)
  try {
    const agents = sending.agents.includes('*') ? await agentsOnline(client, sending.site) : sending.agents
    if (agents.length === 0) return new Map()
    return await publishAndWait(client, sending, agents)
  } finally {
    await client.endAsync(true)
  }
}

const connect = async (broker: string): Promise<MqttClient> => {
  try {
    return await connectAsync(broker, {
      clientId: `technician-${randomUUID()}`,
      protocolVersion: 4,
      clean: true,
      connectTimeout: connectMs,
      reconnectPeriod: 0,
    })
  } catch (cause) {
    throw new Failure('BROKER_UNREACHABLE', `no broker answers at ${broker}`, {
      cause,
      retryable: true,
      hint: 'start it with `imlma-coordinator broker`, or name another one with --broker',
    })
  }
}

/** Names of the agents of the site that say they are online. */
const agentsOnline = async (client: MqttClient, site: string): Promise<readonly string[]> => {
  const online = new Set<string>()
  let heard: () => void = () => undefined
  client.on('message', (topic, payload) => {
    const parsed = parseTopic(topic)
    if (parsed?.channel !== 'presence') return
    const presence = parseJsonMessage(presenceSchema, payload, limits.jsonBytesMax)
    if (presence.ok && presence.value.state === 'online') online.add(parsed.agent)
    heard()
  })
  await client.subscribeAsync(toFilter('presence', { site }), { qos: 1 })
  await new Promise<void>((resolve) => {
    let quiet = setTimeout(resolve, presenceQuietMs)
    heard = () => {
      clearTimeout(quiet)
      quiet = setTimeout(resolve, presenceQuietMs)
    }
  })
  return [...online].toSorted()
}

const publishAndWait = async (
  client: MqttClient,
  { envelope, commandId, site, agents: addressed, timeoutMs, onResult }: Sending,
  agents: readonly string[],
): Promise<Answers> => {
  const answers = new Map<string, CommandResult | undefined>(agents.map((agent) => [agent, undefined]))
  // Listening comes before speaking: an agent next door answers within a millisecond.
  await client.subscribeAsync(toTopic({ site, agent: '+' }, 'result', commandId), { qos: 1 })
  const finished = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, timeoutMs)
    client.on('message', (topic, payload) => {
      const parsed = parseTopic(topic)
      if (parsed?.channel !== 'result' || parsed.id !== commandId || !answers.has(parsed.agent)) return
      const result = parseJsonMessage(resultSchema, payload, limits.jsonBytesMax)
      if (!result.ok) return
      onResult(parsed.agent, result.value)
      if (!finalStates.has(result.value.state)) return
      answers.set(parsed.agent, result.value)
      if ([...answers.values()].includes(undefined)) return
      clearTimeout(timer)
      resolve()
    })
    client.once('close', () => {
      clearTimeout(timer)
      reject(
        new Failure('BROKER_UNREACHABLE', 'the broker closed the connection before the agents had answered', {
          retryable: true,
          hint: 'look with `imlma agents` whether the order was carried out, then repeat it',
        }),
      )
    })
  })
  const [only] = addressed
  const agent = addressed.length === 1 && only !== undefined && only !== '*' ? only : groupAgent
  const topic = toTopic({ site, agent }, 'command', commandId)
  // Never retained: an order that lies in the broker would be given again to every agent that connects.
  const published = client.publishAsync(topic, Buffer.from(encodeJson(envelope)), { qos: 1, retain: false })
  await Promise.all([published, finished])
  // What comes from now on came too late.
  return new Map(answers)
}
