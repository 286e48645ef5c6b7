/** What the embedded broker refused, as alerts of the registry: each telling once, also over a restart of ours. */

import type { BrokerConnection } from '../broker/client.mqtt.ts'
import type { Incident } from '../broker/incidents.ts'
import type { RegistryEvent } from '../registry/events.ts'
import type { Registry } from '../registry/registry.ts'

export interface BrokerFactsParts {
  readonly client: Pick<BrokerConnection, 'onIncident'>
  readonly registry: Pick<Registry, 'append' | 'latestEvents'>
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

/** The broker remembers and tells again at most this many; alerts of it lie among so many events. */
const eventsMax = 2_000

/** Resolves when incidents are listened to. */
export const listenToBroker = async (parts: BrokerFactsParts): Promise<void> => {
  const known = new Set<string>()
  for (const { event } of await parts.registry.latestEvents(eventsMax)) {
    if (event.kind === 'alert-raised' && event.source === 'broker') known.add(event.id)
  }
  parts.client.onIncident((incident) => {
    if (known.has(incident.id)) return
    known.add(incident.id)
    const [oldest] = known
    if (known.size > eventsMax && oldest !== undefined) known.delete(oldest)
    parts.registry.append([toAlert(incident)], parts.now()).catch(parts.onFailure)
  })
}

const toAlert = ({ id, code, client, agent, detail, count }: Incident): RegistryEvent => ({
  kind: 'alert-raised',
  id,
  source: 'broker',
  agent,
  model: null,
  version: null,
  alert: 'security',
  level: 'act',
  evidence: { code, client, detail, count },
})
