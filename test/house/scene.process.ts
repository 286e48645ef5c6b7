/**
 * A house of which a story starts and kills the parts one by one: broker, control and agents as processes of their own,
 * as `npm start` has them, certificates included, with definitions and sources that the story chooses.
 */

import { mkdir, writeFile } from 'node:fs/promises'
import { openTlsMaterial } from '@imlma/coordinator/trust/pki'
import { enrolmentOf } from '../../scripts/start/enrolment.ts'
import { createHouse } from '../../scripts/start/processes.ts'
import { createApi, type Api } from './api.http.ts'
import { scripts, type Folder } from './places.fs.ts'
import { stillLiving } from './processes.process.ts'
import { runProgram } from './program.process.ts'
import { until } from './until.timer.ts'
import { site, type Inside } from './watch.mqtt.ts'

export interface Scene {
  readonly dataDir: string
  /** Address of the broker for people's tools, which show no certificate. */
  readonly broker: string
  /** By which a story hears what agents are told: not for people's tools. */
  readonly inside: Inside
  /** Starts the control centre with this definition of its only model. */
  readonly startControl: (definition: unknown) => Promise<Api>
  readonly startAgent: (name: string, source: unknown) => Promise<void>
  /** SIGKILL; resolves when the process is gone. */
  readonly kill: (name: string) => Promise<void>
  /**
   * Runs `imlma` in a folder where the house can be found, and reads the document it prints; throws with what it says
   * where it fails.
   */
  readonly imlma: (words: string, options?: Readonly<Record<string, string>>) => Promise<unknown>
  readonly stop: () => Promise<void>
}

/** Addresses of a broker: of its door for people's tools, and of the one for those with a certificate. */
export interface Doors {
  readonly broker: string
  readonly mqtts: string
}

/** `outside` starts a broker that is not ours for the site in the data directory; the control centre then does all the rest. */
export const createScene = (folder: Folder, outside?: (dataDir: string) => Promise<Doors>): Promise<Scene> =>
  furnish(folder, { certified: true, outside })

/** Without certificates: any MQTT client of this machine may speak as an agent. */
export const createOpenScene = (folder: Folder): Promise<Scene> =>
  furnish(folder, { certified: false, outside: undefined })

interface Furnishing {
  readonly certified: boolean
  readonly outside: ((dataDir: string) => Promise<Doors>) | undefined
}

const furnish = async (folder: Folder, { certified, outside }: Furnishing): Promise<Scene> => {
  const dataDir = `${folder.path}/house`
  await mkdir(`${dataDir}/agents`, { recursive: true })
  await mkdir(`${folder.path}/.imlma`)
  const house = createHouse(folder.path)
  const tls = certified ? ['--tls'] : []
  const common = ['--data-dir', dataDir, '--site', site, '--clock', 'simulated', ...tls]
  const ours = async (): Promise<Doors> => {
    const anyPort = ['--mqtt-port', '0', '--mqtts-port', '0']
    const up = await house.start('broker', scripts.coordinator, ['broker', ...common, ...anyPort])
    return { broker: String(up['broker']), mqtts: String(certified ? up['mqtts'] : up['broker']) }
  }
  const { broker, mqtts } = await (outside?.(dataDir) ?? ours())
  const part = outside === undefined ? ['control'] : []
  const listener = { kind: 'coordinator', site, name: 'listener' } as const
  return {
    dataDir,
    broker,
    inside: { url: mqtts, ...(certified && (await openTlsMaterial(`${dataDir}/trust/pki`, listener))) },
    startControl: async (definition) => {
      const models = `${dataDir}/models.json`
      await writeFile(models, JSON.stringify([definition]))
      const where = ['--port', '0', '--gateway-port', '0', '--broker', mqtts, '--models', models]
      const control = await house.start('control', scripts.coordinator, [...part, ...common, ...where])
      const url = String(control['api'])
      await writeFile(`${folder.path}/.imlma/current.json`, JSON.stringify({ dataDir, url, broker, site }))
      return createApi(url, dataDir)
    },
    startAgent: async (name, source) => {
      const config = `${dataDir}/agents/${name}.json`
      await writeFile(config, JSON.stringify({ sources: [source], reportEveryMs: 1_000 }))
      const own = `${dataDir}/agents/${name}`
      const where = ['--data-dir', own, '--broker', mqtts, '--port', '0', '--config', config]
      const who = certified
        ? await enrolmentOf(dataDir, name, own)
        : ['--name', name, '--site', site, '--root', `${dataDir}/trust/roots/1.json`]
      await house.start(name, scripts.agent, [...where, ...who])
    },
    kill: async (name) => {
      const pid = house.pid(name)
      if (pid === undefined) throw new Error(`${name} does not run`)
      process.kill(pid, 'SIGKILL')
      await until(`${name} is gone`, async () => {
        return house.pid(name) === undefined && (await stillLiving([pid])).length === 0
      })
    },
    imlma: async (words, options = {}) => {
      const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
      const args = [...words.split(' '), '--json', ...flags]
      return JSON.parse(await runProgram(scripts.imlma, args, folder.path).succeeds()) as unknown
    },
    stop: house.stop,
  }
}
