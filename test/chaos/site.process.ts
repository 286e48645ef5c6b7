/**
 * A certified site as `npm start` runs it, of which every part may die at any moment: what ends without being asked is
 * started again, as systemd does. Each agent has its own line to the broker and its own small disk; the control centre has one.
 */

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import small from '@imlma/agent/small' with { type: 'json' }
import { openTlsMaterial } from '@imlma/coordinator/trust/pki'
import { enrolmentOf } from '../../scripts/start/enrolment.ts'
import { createHouse } from '../../scripts/start/processes.ts'
import { createApi, type Api } from '../house/api.http.ts'
import { scripts } from '../house/places.fs.ts'
import { descendantsOf } from '../house/processes.process.ts'
import { until } from '../house/until.timer.ts'
import { site, type Inside } from '../house/watch.mqtt.ts'
import { layCable, type Cable } from './cable.net.ts'
import { createDisk, type Disk } from './disk.process.ts'
import { freePort } from './part.ts'
import type { Trap } from './plan.ts'

export const agentNames = ['gw-1', 'gw-2', 'gw-3'] as const
export const centreParts = ['broker', 'control'] as const

export interface Site {
  readonly dataDir: string
  readonly api: Api
  /** For people's tools, without certificates. */
  readonly broker: string
  readonly inside: Inside
  readonly folderOf: (agent: string) => string
  /** Local API of an agent; undefined while it does not run. */
  readonly urlOf: (agent: string) => string | undefined
  readonly cable: (agent: string) => Cable
  readonly fill: (disk: string) => Promise<void>
  readonly free: (disk: string) => Promise<void>
  readonly diskKind: Disk['kind']
  readonly setClock: (agent: string, offsetMs: number) => Promise<void>
  /** Where it is to die next; it then stays down. */
  readonly setTrap: (agent: string, trap: Trap) => Promise<void>
  readonly setSources: (agent: string, sources: readonly unknown[]) => Promise<void>
  readonly setDefinition: (definition: unknown) => Promise<void>
  /** From now on it is to run; resolves when it is up, which may take several tries. */
  readonly raise: (name: string) => Promise<void>
  /** Resolves when it is gone; it stays down until it is raised. */
  readonly fell: (name: string, signal?: NodeJS.Signals) => Promise<void>
  /** Resolves with true when it has died in its trap; with false after so long, and the trap is gone. */
  readonly dies: (agent: string, secondsMax: number) => Promise<boolean>
  readonly workersOf: (name: string) => Promise<readonly number[]>
  /** Ends that nobody had asked for. */
  readonly deaths: () => readonly string[]
  readonly stop: () => Promise<void>
}

const restartMs = 500
const agentDiskMebibytes = 64
const centreDiskMebibytes = 384

export const openSite = async (folder: string, mayMount: boolean): Promise<Site> => {
  const dataDir = `${folder}/house`
  const disks = new Map<string, Disk>([['broker', await createDisk(dataDir, centreDiskMebibytes, mayMount)]])
  const folderOf = (agent: string): string => `${dataDir}/agents/${agent}`
  const whim = (agent: string): string => `${folder}/whims/${agent}`
  for (const agent of agentNames) {
    disks.set(agent, await createDisk(folderOf(agent), agentDiskMebibytes, mayMount))
    await mkdir(whim(agent), { recursive: true })
  }
  const house = createHouse(folder)
  const [mqtt, mqtts, api, gateway] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const cables = new Map<string, Cable>()
  for (const agent of agentNames) cables.set(agent, await layCable(mqtts))
  const cable = (agent: string): Cable => cables.get(agent) as Cable

  const models = `${folder}/models.json`
  const common = ['--data-dir', dataDir, '--site', site, '--clock', 'simulated', '--tls', '--log', 'warn']
  const begin = async (name: string) => {
    if (name === 'broker') {
      const ports = ['--mqtt-port', String(mqtt), '--mqtts-port', String(mqtts)]
      return house.start(name, scripts.coordinator, ['broker', ...common, ...ports])
    }
    if (name === 'control') {
      const ports = ['--port', String(api), '--gateway-port', String(gateway)]
      const known = ['--broker', `mqtts://127.0.0.1:${mqtts}`, '--models', models]
      return house.start(name, scripts.coordinator, ['control', ...common, ...ports, ...known])
    }
    const own = folderOf(name)
    const who = await enrolmentOf(dataDir, name, own)
    const where = ['--broker', `mqtts://127.0.0.1:${cable(name).port}`, '--port', '0', '--log', 'warn']
    const args = ['--data-dir', own, '--config', `${folder}/${name}.json`, ...where, ...who]
    const possessed = ['--import', new URL('./possessed.preload.ts', import.meta.url).href]
    const born = {
      execArgv: [...small.execArgv, ...possessed],
      env: { ...small.env, IMLMA_CHAOS: whim(name) },
    }
    return house.start(name, scripts.agent, args, born)
  }

  const wanted = new Set<string>()
  const urls = new Map<string, string>()
  const deaths: string[] = []
  /** Those whose end was arranged: it stays down when it comes. */
  const doomed = new Set<string>()
  const note = (name: string, how: string): void => {
    urls.delete(name)
    if (doomed.delete(name)) wanted.delete(name)
    if (wanted.has(name)) deaths.push(`${name} ended ${how}`)
  }
  const tryUntilUp = async (name: string): Promise<void> => {
    while (wanted.has(name) && house.pid(name) === undefined) {
      try {
        const up = await begin(name)
        if (typeof up['api'] === 'string') urls.set(name, up['api'])
        return
      } catch (cause) {
        note(name, `before it was up: ${(cause as Error).message}`)
        await pause(restartMs)
      }
    }
  }
  /** One start at a time: whoever is raised while a start is under way waits for that one. */
  const starts = new Map<string, Promise<void>>()
  const keepUp = (name: string): Promise<void> => {
    const start = starts.get(name) ?? tryUntilUp(name).finally(() => starts.delete(name))
    starts.set(name, start)
    return start
  }
  house.onEnded((name, how) => {
    note(name, how)
    void pause(restartMs).then(() => keepUp(name))
  })

  const gone = (name: string): boolean => house.pid(name) === undefined
  const dies = async (agent: string, secondsMax: number): Promise<boolean> => {
    const hasDied = (): boolean => !doomed.has(agent) && gone(agent)
    if (await until(`${agent} dies`, hasDied, secondsMax).catch(() => false)) return true
    doomed.delete(agent)
    await rm(`${whim(agent)}/trap.json`, { force: true })
    return false
  }
  const processesOn = (disk: string): readonly number[] =>
    (disk === 'broker' ? centreParts : [disk]).flatMap((name) => house.pid(name) ?? [])
  const listener = { kind: 'coordinator', site, name: 'listener' } as const

  await writeFile(models, '[]')
  wanted.add('broker')
  await keepUp('broker')
  return {
    dataDir,
    api: createApi(`http://127.0.0.1:${api}`, dataDir),
    broker: `mqtt://127.0.0.1:${mqtt}`,
    inside: {
      url: `mqtts://127.0.0.1:${mqtts}`,
      ...(await openTlsMaterial(`${dataDir}/trust/pki`, listener)),
    },
    folderOf,
    urlOf: (agent) => urls.get(agent),
    cable,
    fill: (disk) => disks.get(disk)?.fill(processesOn(disk)) ?? Promise.resolve(),
    free: (disk) => disks.get(disk)?.free(processesOn(disk)) ?? Promise.resolve(),
    diskKind: mayMount ? 'tmpfs' : 'rlimit',
    setClock: (agent, offsetMs) => writeFile(`${whim(agent)}/clock`, String(offsetMs)),
    setTrap: async (agent, trap) => {
      doomed.add(agent)
      await writeFile(`${whim(agent)}/trap.json`, JSON.stringify(trap))
    },
    setSources: (agent, sources) =>
      writeFile(`${folder}/${agent}.json`, JSON.stringify({ sources, reportEveryMs: 1_000 })),
    setDefinition: (definition) => writeFile(models, JSON.stringify([definition])),
    raise: async (name) => {
      wanted.add(name)
      await keepUp(name)
    },
    fell: async (name, signal = 'SIGKILL') => {
      wanted.delete(name)
      const pid = house.pid(name)
      if (pid !== undefined) process.kill(pid, signal)
      await until(`${name} is gone`, () => gone(name))
      urls.delete(name)
    },
    dies,
    workersOf: async (name) => {
      const pid = house.pid(name)
      return pid === undefined ? [] : descendantsOf(pid)
    },
    deaths: () => deaths,
    stop: async () => {
      wanted.clear()
      await house.stop()
      for (const each of cables.values()) await each.close()
      // The last one lies on none of the others.
      for (const each of [...disks.values()].toReversed()) await each.remove()
    },
  }
}
