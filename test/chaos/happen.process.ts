/** Makes what is planned happen to a site, and says how many processes that has killed. */

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { connectAsync } from 'mqtt'
import type { Signer } from '@imlma/protocol/trust'
import { encodeJson, toTopic, type Command, type InstalledVersion } from '@imlma/protocol/wire'
import { newCommand, sign } from '../house/order.crypto.ts'
import { until } from '../house/until.timer.ts'
import { site as siteName } from '../house/watch.mqtt.ts'
import type { Happening } from './plan.ts'
import type { Random } from './random.ts'
import { agentNames, centreParts, type Site } from './site.process.ts'
import { damage, tearLastWrites } from './tear.fs.ts'

export interface Chaos {
  readonly site: Site
  readonly technician: Signer
  /** For what is torn, and how. */
  readonly random: Random
  readonly tell: (line: string) => void
  /** What passes by itself, by what it happened to; a later one waits for it. */
  readonly pending: Map<string, Promise<void>>
}

type Of<Kind extends Happening['kind']> = Extract<Happening, { kind: Kind }>

/** How long an agent may take to come where a trap waits for it; then it is killed where it is. */
const trapSecondsMax = 20

/** Resolves with the number of kills; what lasts goes on behind it. */
export const happen = async (chaos: Chaos, happening: Happening): Promise<number> => {
  const { tell, site } = chaos
  tell(JSON.stringify(happening))
  switch (happening.kind) {
    case 'kill':
      await kill(chaos, happening)
      return 1
    case 'kill worker':
      return killWorker(chaos, happening)
    case 'kill at':
      return killAt(chaos, happening)
    case 'clock': {
      const { agent, offsetMs } = happening
      await lasting(
        chaos,
        agent,
        happening.forMs,
        () => site.setClock(agent, offsetMs),
        () => site.setClock(agent, 0),
      )
      return 0
    }
    case 'cut': {
      const cable = site.cable(happening.agent)
      await lasting(chaos, happening.agent, happening.forMs, () => cable.cut(happening.how), cable.mend)
      return 0
    }
    case 'fill': {
      const { disk } = happening
      await lasting(
        chaos,
        disk,
        happening.forMs,
        () => site.fill(disk),
        () => site.free(disk),
      )
      return 0
    }
  }
}

const lasting = async (
  { pending }: Chaos,
  whom: string,
  forMs: number,
  begin: () => Promise<void> | void,
  end: () => Promise<void> | void,
): Promise<void> => {
  await pending.get(whom)
  await begin()
  pending.set(
    whom,
    pause(forMs).then(() => end()),
  )
}

const kill = async (chaos: Chaos, { victim, tear, downMs }: Of<'kill'>): Promise<void> => {
  const { site, random, tell } = chaos
  await site.fell(victim)
  if (tear) {
    const isAgent = agentNames.some((name) => name === victim)
    const folders = isAgent ? [site.folderOf(victim), `${site.folderOf(victim)}/models`] : [site.dataDir]
    for (const folder of folders) {
      const torn = await tearLastWrites(folder, random, isAgent ? undefined : ownFiles[victim]).catch(
        (cause: unknown) => {
          // A full disk has room for nothing, not even for damage.
          if ((cause as { code?: string }).code !== 'ENOSPC') throw cause
          return []
        },
      )
      tell(`  torn: ${torn.join(' ')}`)
    }
  }
  await pause(downMs)
  void site.raise(victim)
}

/** The parts of the control centre share a folder: what the other one is writing is not torn. */
const ownFiles: Readonly<Record<string, RegExp>> = {
  [centreParts[0]]: /^readings\./,
  [centreParts[1]]: /^(?!readings\.)/,
}

const killWorker = async ({ site, tell }: Chaos, { of }: Of<'kill worker'>): Promise<number> => {
  const [worker] = await site.workersOf(of)
  if (worker === undefined) {
    tell(`  ${of} has no other process now: it is killed itself`)
    await site.fell(of)
    await site.raise(of)
    return 1
  }
  try {
    process.kill(worker, 'SIGKILL')
  } catch {
    tell('  it had just ended')
    return 0
  }
  return 1
}

const killAt = async (chaos: Chaos, { agent, way, trap }: Of<'kill at'>): Promise<number> => {
  const { site, tell, pending } = chaos
  await Promise.all(pending.values())
  await site.raise('control')
  await site.raise(agent)
  let kills = 0
  try {
    if (way === 'repair') {
      const { champion } = await settled(chaos, agent)
      await site.fell(agent)
      kills += 1
      await damage(`${site.folderOf(agent)}/models/${champion?.sha256}.onnx`)
      await site.setTrap(agent, trap)
      void site.raise(agent)
    } else {
      await rollBack(chaos, agent)
      await site.setTrap(agent, trap)
      // Who has died of it has obeyed.
      await order(chaos, agent, { operation: 'unpin' }, async () => {
        return site.urlOf(agent) === undefined || !(await standingOf(chaos, agent)).pinned
      })
    }
  } catch (cause) {
    tell(`  ${(cause as Error).message}`)
  }
  if (!(await site.dies(agent, trapSecondsMax))) {
    tell(`  ${agent} never came to ${trap.phase}: it is killed where it is`)
    await site.fell(agent)
  }
  void site.raise(agent)
  return kills + 1
}

interface Standing {
  readonly phase: string
  readonly champion: InstalledVersion | null
  readonly previous: InstalledVersion | null
  readonly pinned: boolean
}

/** What the agent has written down of its model: read from outside, so that nobody has to answer. */
const standingOf = async ({ site }: Chaos, agent: string): Promise<Standing> => {
  const text = await readFile(`${site.folderOf(agent)}/models/state.json`, 'utf8')
  const { models } = JSON.parse(text) as { models: Record<string, Standing> }
  return models['load'] as Standing
}

const settled = (chaos: Chaos, agent: string): Promise<Standing> =>
  until(`${agent} has settled`, async () => {
    const standing = await standingOf(chaos, agent)
    return standing.phase === 'idle' && standing.champion !== null && standing
  })

/** To the version before, which it is then held at; where it is held there already, it was left so by a kill. */
const rollBack = async (chaos: Chaos, agent: string): Promise<void> => {
  const { champion, previous, pinned } = await settled(chaos, agent)
  if (pinned || previous === null) return
  await order(chaos, agent, { operation: 'rollback', target: 'previous' }, async () => {
    const now = await standingOf(chaos, agent)
    return now.phase === 'idle' && now.pinned && now.champion?.sha256 !== champion?.sha256
  })
}

let counter = 0
const ordersMax = 8
const secondsAnOrder = 4

/**
 * A command is not retained, and the agent may be about to find out that its line is dead: the same one is sent until it is
 * obeyed, which an agent does once.
 */
const order = async (
  { site, technician }: Chaos,
  agent: string,
  wish: Pick<Command, 'operation'> & Partial<Command>,
  isObeyed: () => Promise<boolean>,
): Promise<void> => {
  counter = Math.max(counter + 1, Date.now())
  const command = newCommand(agent, { counter, ...wish })
  const topic = toTopic({ site: siteName, agent }, 'command', command.commandId)
  const bytes = Buffer.from(encodeJson(sign(command, technician)))
  const client = await connectAsync(site.broker, {
    clientId: `technician-${randomUUID()}`,
    protocolVersion: 4,
  })
  try {
    for (let sent = 1; ; sent++) {
      await client.publishAsync(topic, bytes, { qos: 1 })
      const what = `${agent} obeys ${wish.operation}`
      const waited = await until(what, isObeyed, secondsAnOrder).catch((cause: unknown) => cause)
      if (waited === true) return
      if (sent === ordersMax) throw waited
    }
  } finally {
    await client.endAsync(true)
  }
}
