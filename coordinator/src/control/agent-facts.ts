/** What agents tell that the registry must remember: results of technicians' commands, and alarms. */

import { limits } from '@imlma/protocol/limits'
import { parseJsonMessage, resultSchema, type Alarm } from '@imlma/protocol/wire'
import type { BrokerClient, BrokerMessage } from '../broker/client.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { RegistryEvent } from '../registry/events.ts'
import type { Registry } from '../registry/registry.ts'

export interface AgentFactsParts {
  readonly client: Pick<BrokerClient, 'subscribe'>
  readonly fleet: Pick<Fleet, 'subscribe'>
  readonly registry: Pick<Registry, 'append'>
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

const final: readonly string[] = ['succeeded', 'refused', 'failed']

/** Resolves when the results are subscribed. */
export const listenToAgents = async (parts: AgentFactsParts): Promise<void> => {
  const record = (event: RegistryEvent): void => {
    parts.registry.append([event], parts.now()).catch(parts.onFailure)
  }
  parts.fleet.subscribe((change) => {
    if (change.kind === 'alarm') record(toAlert(change.agent.agent, change.alarm))
  })
  await parts.client.subscribe('result', (message) => {
    const event = toCommandSeen(message)
    if (event !== undefined) record(event)
  })
}

/** Only how a command ended is a fact worth keeping; a result sent again is the agent's answer to a repetition. */
const toCommandSeen = ({ agent, payload, retained }: BrokerMessage): RegistryEvent | undefined => {
  const result = parseJsonMessage(resultSchema, payload, limits.jsonBytesMax)
  if (!result.ok || retained || !final.includes(result.value.state)) return undefined
  const { commandId, state, code, detail, serving } = result.value
  const [model = null] = Object.keys(serving)
  return { kind: 'command-seen', agent, model, commandId, operation: 'command', state, code, detail }
}

const toAlert = (agent: string, alarm: Alarm): RegistryEvent => ({
  kind: 'alert-raised',
  id: alarm.id,
  source: 'agent',
  agent,
  model: alarm.model,
  version: alarm.version,
  alert: alarm.kind,
  level: alarm.level,
  evidence: { ...alarm.evidence, value: alarm.value, limit: alarm.limit },
})
