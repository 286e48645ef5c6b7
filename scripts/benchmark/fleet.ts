/**
 * How long until a promoted version answers everywhere? Real broker and control processes; agents that are complete but
 * share processes (`--processes`; as many as agents gives each its own), with sessions of ONNX Runtime and files of
 * their own. Versions are prepared instead of trained, and judged by nobody; everything after the verdict is real.
 *
 *   node scripts/benchmark/fleet.ts [--agents 50] [--processes 2] [--rounds 7] [--meters 1] [--json]
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createPromotions, type Promotion } from './fleet/promotions.ts'
import { startWorld } from './fleet/world.ts'

const { values: given } = parseArgs({
  options: {
    agents: { type: 'string', default: '50' },
    processes: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
    meters: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})
const agents = Number(given.agents)
const processes = Math.min(Number(given.processes), agents)
const rounds = Number(given.rounds)
const meters = Number(given.meters)
const servingMsMax = 3_000
/** Two weeks of quarter hours. */
const historySlots = 14 * 96

const say = (line: string): void => {
  if (!given.json) console.error(line)
}
const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] as number

const folder = await mkdtemp(join(tmpdir(), 'imlma-fleet-'))
const world = await startWorld(folder)
try {
  const startedAt = performance.now()
  await world.startAgents(agents, processes, meters)
  const promotions = await createPromotions(world, agents)
  await promotions.ready(agents * meters * historySlots)
  say(
    `${agents} agents in ${processes} processes are ready after ${Math.round(performance.now() - startedAt)} ms`,
  )
  // The first installs where nothing was; every other one replaces a champion, which is what is measured.
  const first = await promotions.promote()
  say(`first version: serving everywhere after ${first.serving} ms`)
  const measured: Promotion[] = []
  for (let round = 0; round < rounds; round++) {
    const promotion = await promotions.promote()
    measured.push(promotion)
    const { serving, servingMedian, committed, triggerToServing, delays } = promotion
    say(
      `verdict → last agent serving ${serving} ms (half of them ${servingMedian}), probation over ${committed}; ` +
        `trigger → all ${Math.round(triggerToServing)}; of the slowest: ${JSON.stringify(delays)}`,
    )
  }
  await promotions.close()
  const of = (pick: (one: Promotion) => number): number => Math.round(median(measured.map(pick)))
  const result = {
    benchmark: 'fleet',
    agents,
    processes,
    rounds,
    meters,
    verdictToServingMs: of((one) => one.serving),
    verdictToServingMsMax: Math.max(...measured.map((one) => one.serving)),
    verdictToHalfServingMs: of((one) => one.servingMedian),
    verdictToCommittedMs: of((one) => one.committed),
    triggerToServingMs: of((one) => one.triggerToServing),
    firstVersionMs: first.serving,
    bars: { servingMsMax },
    held: {
      serving: of((one) => one.serving) <= servingMsMax,
      trigger: of((one) => one.triggerToServing) <= servingMsMax,
    },
  }
  console.log(JSON.stringify(result, undefined, given.json ? undefined : 2))
} finally {
  await world.stop()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}
