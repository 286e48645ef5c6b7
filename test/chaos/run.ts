/**
 * One chaos run: a site learns two versions, then everything of the plan happens to it, then it is left in peace; after
 * that every reading is looked for, and every agent is asked what it serves.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../house/until.timer.ts'
import { watchAgents } from '../house/watch.mqtt.ts'
import { beginLearning, feedOf, fedOf } from './learning.ts'
import { happen, type Chaos } from './happen.process.ts'
import { planChaos } from './plan.ts'
import { createRandom } from './random.ts'
import { agentNames, centreParts, openSite, type Site } from './site.process.ts'
import { countStored, type Count } from './stored.sqlite.ts'
import { peoplesTool } from './tool.process.ts'
import { establishTruth, readRoot } from './truth.ts'

export interface ChaosOptions {
  readonly kills: number
  readonly seed: number
  /** Empty, and ours alone. */
  readonly folder: string
  readonly mayMount: boolean
  /** Told what happens, line by line. */
  readonly tell: (line: string) => void
}

export interface Outcome {
  readonly kills: number
  readonly readings: number
  readonly lost: number
  readonly doubled: number
  /** Agents that serve nothing verified, or of which something untrue is said. */
  readonly unverified: number
  readonly seed: number
}

/** Time for a site that is left in peace to be well again. */
const healSecondsMax = 60

export const runChaos = async (options: ChaosOptions): Promise<Outcome> => {
  const { kills, seed, folder, mayMount, tell } = options
  const site = await openSite(folder, mayMount)
  try {
    const technician = await beginLearning(site, folder)
    tell(`disks: ${site.diskKind}; two versions are learned`)
    const chaos: Chaos = { site, technician, random: createRandom(seed + 1), tell, pending: new Map() }
    let done = 0
    for (const happening of planChaos(seed, kills, { agents: agentNames, centre: centreParts })) {
      await pause(happening.afterMs)
      done += await happen(chaos, happening)
    }
    await Promise.all(chaos.pending.values())
    for (const death of site.deaths()) tell(`unasked: ${death}`)
    for (const name of [...centreParts, ...agentNames]) await site.raise(name)
    const counts = await countReadings(site, tell)
    const unverified = await countUnverified(site, tell)
    // The chain of the control centre's events; throws with what is broken.
    await peoplesTool(site, folder)(['audit', 'verify'])
    const sum = (key: keyof Count): number => counts.reduce((total, count) => total + count[key], 0)
    return {
      kills: done,
      readings: sum('readings'),
      lost: sum('lost'),
      doubled: sum('doubled'),
      unverified,
      seed,
    }
  } finally {
    await site.stop()
  }
}

/** Ends the feeds where they are and lets the agents, without any feed, deliver what they still have. */
const countReadings = async (site: Site, tell: (line: string) => void): Promise<readonly Count[]> => {
  for (const agent of agentNames) {
    await site.fell(agent, 'SIGTERM')
    await site.setSources(agent, [])
    await site.raise(agent)
  }
  for (const agent of agentNames) {
    await until(
      `${agent} has delivered everything`,
      async () => {
        const status = await (await fetch(`${site.urlOf(agent)}/status`)).json()
        const { backlog } = status as { backlog: { batches: number; readings: number; dropped: number } }
        if (backlog.dropped > 0) throw new Error(`${agent} has dropped ${backlog.dropped} readings`)
        return backlog.batches === 0 && backlog.readings === 0
      },
      healSecondsMax,
    )
    await site.fell(agent, 'SIGTERM')
  }
  const counts: Count[] = []
  for (const agent of agentNames) {
    const files = [`${site.folderOf(agent)}/readings.db`, `${site.dataDir}/readings.db`] as const
    // What was accepted last is folded some hundred milliseconds later.
    const count = await until(
      `${agent}'s readings are all there`,
      () => {
        const counted = countStored(fedOf(agent), ...files)
        return counted.lost === 0 && counted
      },
      10,
    ).catch(() => countStored(fedOf(agent), ...files))
    tell(`${agent}: ${JSON.stringify(count)}`)
    counts.push(count)
    await site.setSources(agent, [feedOf(agent)])
    await site.raise(agent)
  }
  return counts
}

const countUnverified = async (site: Site, tell: (line: string) => void): Promise<number> => {
  const root = await readRoot(site.dataDir)
  const watch = await watchAgents(site.broker, site.inside)
  let unverified = 0
  try {
    for (const agent of agentNames) {
      const look = async () =>
        establishTruth({
          agent,
          root,
          folder: site.folderOf(agent),
          url: site.urlOf(agent) ?? '',
          reported: watch.reports(agent).at(-1)?.message,
          shown: (await site.api.agents()).find((each) => each.agent === agent),
        })
      try {
        tell(`${agent} serves version ${await until(`what ${agent} says is true`, look, healSecondsMax)}`)
      } catch (cause) {
        unverified += 1
        tell(`${agent}: ${((cause as Error).cause as Error | undefined)?.message ?? String(cause)}`)
      }
    }
  } finally {
    await watch.end()
  }
  return unverified
}
