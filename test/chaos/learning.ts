/** What a site under chaos forecasts, what feeds it, and how it comes to the two versions that agents move between. */

import type { Signer } from '@imlma/protocol/trust'
import { readSigner } from '../house/order.crypto.ts'
import { until } from '../house/until.timer.ts'
import type { Fed } from './stored.sqlite.ts'
import { agentNames, type Site } from './site.process.ts'
import { peoplesTool } from './tool.process.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const register = '1-0:1.29.0'
const seed = 1
const historyDays = 56
const liveFrom = Date.UTC(2025, 2, 3)
const meters = new Map(agentNames.map((agent, i) => [agent as string, [`m-${i + 1}a`, `m-${i + 1}b`]]))
const readingsMin = agentNames.length * 2 * historyDays * 24

export const fedOf = (agent: string): Fed => ({
  agent,
  meters: meters.get(agent) ?? [],
  seed,
  register,
  intervalMs: hourMs,
  firstAt: liveFrom - historyDays * dayMs,
})

/** Eight weeks at once, then two hours a second in small batches: at any moment something is written, sent or acknowledged. */
export const feedOf = (agent: string) => ({
  kind: 'simulated',
  name: 'feed',
  seed,
  liveFrom,
  meters: meters.get(agent),
  register,
  intervalMs: hourMs,
  historyDays,
  speed: 7_200,
  slotsPerAppendMax: 24,
})

/** Trained on the same readings, a smaller penalty forecasts better: the second version is promoted, too. */
const definition = (penalty: number) => ({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register,
  intervalMs: hourMs,
  horizon: 24,
  parameters: { lambdas: [penalty] },
  trigger: { volume: 1_000_000, intervalMs: dayMs, readingsMin, coolDownMs: 0 },
  data: { evaluationMs: 21 * dayMs, windowMsMax: 70 * dayMs },
})

/** Versions 1 and 2 on every agent; returns the signer of a technician whom all of them know. */
export const beginLearning = async (site: Site, folder: string): Promise<Signer> => {
  const tool = peoplesTool(site, folder)
  await site.setDefinition(definition(1))
  await site.raise('control')
  for (const agent of agentNames) {
    await site.setSources(agent, [feedOf(agent)])
    await site.raise(agent)
  }
  await until(
    'all history is there',
    async () => {
      return (await site.api.model('load')).trigger.readingsTotal >= readingsMin
    },
    60,
  )
  const train = async (version: number): Promise<void> => {
    await tool(['retrain', 'load', '--reason', 'chaos'])
    await until(
      `version ${version} serves everywhere`,
      async () => {
        const agents = await site.api.agents()
        return (
          agents.filter(({ models }) =>
            models.some((each) => each.version === version && each.phase === 'idle'),
          ).length === agentNames.length
        )
      },
      60,
    )
  }
  await train(1)
  await site.fell('control')
  await site.setDefinition(definition(0.3))
  await site.raise('control')
  await train(2)
  const key = `${folder}/technician.key`
  await tool(['keys', 'new', '--name', 'A. Nguyen', '--out', key])
  await until('every agent trusts the key', async () =>
    (await site.api.agents()).every(({ rootVersion }) => rootVersion === 2),
  )
  return readSigner(key)
}
