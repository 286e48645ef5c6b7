import { expect, test } from 'vitest'
import type { Incident } from '../broker/incidents.ts'
import type { ChainedEvent, RegistryEvent } from '../registry/events.ts'
import { listenToBroker } from './broker-facts.ts'

const incident = (id: string): Incident => ({
  v: 1,
  id,
  code: 'FOREIGN_TOPIC',
  client: 'agent demo/gw-1',
  agent: 'gw-1',
  detail: 'imlma/v1/demo/gw-2/readings',
  count: 3,
  at: 42,
})

test('what the broker tells is an alert once, also where it is told again after a restart of ours', async () => {
  const chain: RegistryEvent[] = []
  const listen = async (): Promise<(told: Incident) => void> => {
    let hear: (told: Incident) => void = () => undefined
    await listenToBroker({
      client: { onIncident: (listener) => (hear = listener) },
      registry: {
        append: async (events) => {
          chain.push(...events)
          return []
        },
        latestEvents: async () => chain.map((event) => ({ event }) as ChainedEvent),
      },
      now: () => 43,
      onFailure: (error) => {
        throw error
      },
    })
    return hear
  }
  const first = await listen()
  for (const id of ['a-1', 'a-1', 'a-2']) first(incident(id))
  const second = await listen()
  for (const id of ['a-1', 'a-2', 'b-1']) second(incident(id))
  expect(chain.map((event) => event.kind === 'alert-raised' && event.id)).toEqual(['a-1', 'a-2', 'b-1'])
  expect(chain[0]).toMatchObject({
    source: 'broker',
    agent: 'gw-1',
    alert: 'security',
    level: 'act',
    evidence: { code: 'FOREIGN_TOPIC', client: 'agent demo/gw-1', count: 3 },
  })
})
