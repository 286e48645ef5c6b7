/**
 * What happens to a site in a chaos run, decided before it begins: a seed gives the same plan again. Kills are counted;
 * what else goes wrong comes between them, lasts a while and passes by itself, as it does in the field.
 */

import type { DeploymentPhase } from '@imlma/protocol/wire'
import { between, createRandom, oneOf, shuffled, type Random } from './random.ts'

/** How a version comes to pass through the deployment machine: told by the director, or brought again after damage. */
export type Way = 'assignment' | 'repair'

/** When the agent dies in a step: while the step is written down, as soon as it is, or in the middle of its work. */
export const moments = ['writing', 'written', 'working'] as const
export type Moment = (typeof moments)[number]

export interface Trap {
  readonly phase: DeploymentPhase
  readonly moment: Moment
  /** Of its work that it still gets; counts for `working` only. */
  readonly workMs: number
}

/** `tear`: what was being written when the process died is found half-written. */
interface Kill {
  readonly kind: 'kill'
  readonly victim: string
  readonly tear: boolean
  readonly downMs: number
}

/** A process that an agent or the control centre has started: the one for inference, or for training. */
interface KillWorker {
  readonly kind: 'kill worker'
  readonly of: string
}

/** Leads the agent to a step of the deployment machine and kills it there; a repair begins with a kill of its own. */
interface KillAt {
  readonly kind: 'kill at'
  readonly agent: string
  readonly way: Way
  readonly trap: Trap
}

interface Clock {
  readonly kind: 'clock'
  readonly agent: string
  readonly offsetMs: number
  readonly forMs: number
}

/** `silence`: the connection stands, and nothing comes through. */
interface Cut {
  readonly kind: 'cut'
  readonly agent: string
  readonly how: 'reset' | 'silence'
  readonly forMs: number
}

interface Fill {
  readonly kind: 'fill'
  readonly disk: string
  readonly forMs: number
}

export type Happening = { readonly afterMs: number } & (Kill | KillWorker | KillAt | Clock | Cut | Fill)

export interface Cast {
  readonly agents: readonly [string, ...string[]]
  /** Parts of the control centre; they share one disk, the one of the first. */
  readonly centre: readonly [string, ...string[]]
}

/** Every step that a version takes in each way. After a repair nothing is on probation: it was committed before. */
export const machineSteps: readonly (readonly [Way, DeploymentPhase])[] = [
  ['repair', 'fetching'],
  ['assignment', 'probation'],
  ['repair', 'verifying'],
  ['assignment', 'warming'],
  ['repair', 'warming'],
  ['assignment', 'verifying'],
  ['repair', 'idle'],
  ['assignment', 'idle'],
]

/** Of all kills, those at a step of the deployment machine; they take longest. */
const stepShare = 0.4
/** Three crashes in a while are a bad model's doing, whoever killed the worker: two are not. */
const workerKillsMax = 2
const disruptionShare = 0.5
const dayMs = 86_400_000
const jumpsMs = [-365 * dayMs, 365 * dayMs, -dayMs, dayMs, 3_600_000] as const

export const planChaos = (seed: number, kills: number, { agents, centre }: Cast): readonly Happening[] => {
  const random = createRandom(seed)
  const workerKills = new Map<string, number>()
  const steps = planSteps(random, Math.round(kills * stepShare))
  const atSteps = steps.reduce((sum, step) => sum + killsOf(step), 0)
  const victims = shuffled(random, [...agents, ...centre])
  const anyKill = (i: number): Happening => {
    const of = oneOf(random, [...agents, oneOf(random, centre)])
    const killed = workerKills.get(of) ?? 0
    if (random() < 0.15 && killed < workerKillsMax) {
      workerKills.set(of, killed + 1)
      return { kind: 'kill worker', of, afterMs: between(random, 50, 1_000) }
    }
    // Everybody once before anybody twice.
    const victim = victims[i] ?? oneOf(random, [...agents, ...centre])
    const tear = random() < 0.5
    return {
      kind: 'kill',
      victim,
      tear,
      downMs: between(random, 0, 600),
      afterMs: between(random, 50, 1_300),
    }
  }
  const atStep = ([way, phase]: (typeof machineSteps)[number]): Happening => {
    const trap = { phase, moment: oneOf(random, moments), workMs: between(random, 1, 60) }
    return { kind: 'kill at', agent: oneOf(random, agents), way, trap, afterMs: between(random, 50, 500) }
  }
  const planned = shuffled(random, [
    ...Array.from({ length: kills - atSteps }, (_, i) => anyKill(i)),
    ...steps.map(atStep),
  ])
  return planned.flatMap((kill) =>
    random() < disruptionShare ? [planDisruption(random, { agents, centre }), kill] : [kill],
  )
}

/** Every step once before any comes again, as far as so many kills go. */
const planSteps = (random: Random, killsMax: number): readonly (typeof machineSteps)[number][] => {
  const chosen: (typeof machineSteps)[number][] = []
  let kills = 0
  for (;;) {
    for (const step of shuffled(random, machineSteps)) {
      if (kills + killsOf(step) > killsMax) return chosen
      kills += killsOf(step)
      chosen.push(step)
    }
  }
}

const killsOf = ([way]: (typeof machineSteps)[number]): number => (way === 'repair' ? 2 : 1)

const planDisruption = (random: Random, { agents, centre }: Cast): Happening => {
  const agent = oneOf(random, agents)
  const time = { forMs: between(random, 500, 4_000), afterMs: between(random, 0, 300) }
  switch (oneOf<'clock' | 'cut' | 'fill'>(random, ['clock', 'cut', 'fill'])) {
    case 'clock':
      return { kind: 'clock', agent, offsetMs: oneOf(random, jumpsMs), ...time }
    case 'cut':
      return { kind: 'cut', agent, how: oneOf(random, ['reset', 'silence']), ...time }
    case 'fill':
      return { kind: 'fill', disk: oneOf(random, [...agents, centre[0]]), ...time }
  }
}
