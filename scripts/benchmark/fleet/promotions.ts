/** One promotion after the other through a fleet, timed from the gate's verdict to what each agent says of itself. */

import { setTimeout as pause } from 'node:timers/promises'
import { connectAsync } from 'mqtt'
import { parseTopic, toFilter, type Reported, type ReportedModel } from '@imlma/protocol/wire'
import { askFor, createAsk } from '../../start/ask.ts'
import { model, site, type World } from './world.ts'

/** Milliseconds, real time, all on the clock of this machine. */
export interface Promotion {
  /** From the verdict in the registry until the last agent said that the version answers. */
  readonly serving: number
  /** The same until half of the agents did. */
  readonly servingMedian: number
  /** From the verdict until the last agent's probation was over. */
  readonly committed: number
  /** From the trigger until the last agent said that the version answers, without the training. */
  readonly triggerToServing: number
  /** As the registry has it. */
  readonly delays: Readonly<Record<string, number | null>>
}

interface Audited {
  readonly at: number
  readonly event: { readonly kind: string; readonly version?: number; readonly run?: string }
}

const waitMsMax = 60_000

export const createPromotions = async ({ api, broker, folder }: World, agents: number) => {
  const client = await connectAsync(broker, { clientId: 'benchmark', protocolVersion: 4 })
  const servingAt = new Map<string, number>()
  const committedAt = new Map<string, number>()
  const lastSaid = new Map<string, ReportedModel | undefined>()
  let version = 0
  client.on('message', (topic, payload) => {
    const now = Date.now()
    const { agent = '' } = parseTopic(topic) ?? {}
    const said = (JSON.parse(payload.toString()) as Reported).models[model]
    lastSaid.set(agent, said)
    if (said?.active?.version !== version) return
    if (!servingAt.has(agent)) servingAt.set(agent, now)
    if (said.phase === 'idle' && !committedAt.has(agent)) committedAt.set(agent, now)
  })
  await client.subscribeAsync(toFilter('reported', { site }), { qos: 1 })

  const ask = <View>(path: string, body?: object): Promise<View> => askFor(createAsk(api, folder), path, body)
  const until = async (condition: () => Promise<boolean> | boolean): Promise<void> => {
    const givenUpAt = performance.now() + waitMsMax
    while (!(await condition())) {
      if (performance.now() > givenUpAt) {
        const [agent, said] = [...lastSaid].find(([name]) => !committedAt.has(name)) ?? []
        throw new Error(
          `${servingAt.size} of ${agents} agents serve version ${version} after ${waitMsMax} ms; ` +
            `${agent} says ${JSON.stringify(said)}`,
        )
      }
      await pause(50)
    }
  }

  return {
    /** Resolves when every agent is there and has sent its history. */
    ready: async (readings: number): Promise<void> => {
      await until(async () => {
        const online = (await ask<{ presence: string }[]>('agents')).filter(
          (one) => one.presence === 'online',
        )
        const { trigger } = await ask<{ trigger: { readingsTotal: number } }>(`models/${model}`)
        return online.length === agents && trigger.readingsTotal >= readings
      })
    },
    promote: async (): Promise<Promotion> => {
      version += 1
      servingAt.clear()
      committedAt.clear()
      await ask(`models/${model}/retrain`, { reason: 'benchmark' })
      await until(() => committedAt.size === agents)
      await until(async () => (await ask<{ state: string }[]>('triggers?limit=1'))[0]?.state === 'completed')
      const events = await ask<Audited[]>(`audit?limit=${10 * agents + 50}`)
      const at = (kind: string): number => events.find(({ event }) => event.kind === kind)?.at ?? Number.NaN
      const [round] = await ask<{ delayMs: Promotion['delays'] }[]>('triggers?limit=1')
      const delays = round?.delayMs ?? {}
      const times = [...servingAt.values()].toSorted((a, b) => a - b)
      const decided = at('version-decided')
      const last = times.at(-1) ?? Number.NaN
      return {
        serving: last - decided,
        servingMedian: (times[times.length >> 1] ?? Number.NaN) - decided,
        committed: Math.max(...committedAt.values()) - decided,
        triggerToServing:
          last - at('retraining-triggered') + (delays['detect'] ?? 0) - (delays['train'] ?? 0),
        delays,
      }
    },
    close: () => client.endAsync(true),
  }
}
