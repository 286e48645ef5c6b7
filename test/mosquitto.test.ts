import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openReadingsReader } from '@imlma/coordinator/storage/readings'
import { createFolder, scripts, type Folder } from './house/places.fs.ts'
import { runProgram } from './house/program.process.ts'
import { createScene, type Doors, type Scene } from './house/scene.process.ts'
import { until } from './house/until.timer.ts'
import { site } from './house/watch.mqtt.ts'

const program = '/usr/sbin/mosquitto'
const isMissing = !existsSync(program)

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const days = 56
const agents = ['gw-1', 'gw-2'] as const
const readings = agents.length * days * 24

const definition = {
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  parameters: { lambdas: [1] },
  trigger: { volume: readings, intervalMs: dayMs, readingsMin: readings, coolDownMs: 0 },
  data: { evaluationMs: 21 * dayMs, windowMsMax: 70 * dayMs },
}

/** History only: at the speed of a real clock no hour ends within a story. */
const feedOf = (meter: string) => ({
  kind: 'simulated',
  name: 'feed',
  seed: 1,
  liveFrom: Date.UTC(2025, 2, 3),
  meters: [meter],
  intervalMs: hourMs,
  historyDays: days,
  speed: 1,
})

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
const answers = async (port: number): Promise<boolean> => {
  const socket = createConnection(port, '127.0.0.1')
  const answered = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return answered
}

let folder: Folder
let mosquitto: ChildProcess | undefined
let scene: Scene

/** What a person does, in order: an authority, the configuration, the broker. */
const startMosquitto = async (dataDir: string): Promise<Doors> => {
  const [tls, plain] = [await freePort(), await freePort()]
  const imlma = async (...words: string[]): Promise<void> => {
    await runProgram(scripts.imlma, [...words, '--data-dir', dataDir], folder.path).succeeds()
  }
  await imlma('pki', 'init', '--site', site)
  const where = [
    '--out',
    `${folder.path}/mosquitto`,
    '--tls-port',
    String(tls),
    '--plain-port',
    String(plain),
  ]
  await imlma('broker', 'acl', '--mosquitto', ...where)
  mosquitto = spawn(program, ['-c', `${folder.path}/mosquitto/mosquitto.conf`], { stdio: 'ignore' })
  await until('mosquitto answers', async () => (await answers(tls)) && (await answers(plain)))
  return { broker: `mqtt://127.0.0.1:${plain}`, mqtts: `mqtts://127.0.0.1:${tls}` }
}

beforeEach((context) => context.skip(isMissing, `${program} is missing: apt install mosquitto`))
beforeAll(async () => {
  if (isMissing) return
  folder = await createFolder('mosquitto')
  scene = await createScene(folder, startMosquitto)
})
afterAll(async () => {
  if (isMissing) return
  // Undefined where the broker did not start.
  await (scene as Scene | undefined)?.stop()
  mosquitto?.kill('SIGTERM')
  await folder.remove()
})

describe('a house around Mosquitto, with the configuration that imlma writes', () => {
  test('goes from readings to a version that every agent serves, and commands reach them', async () => {
    const api = await scene.startControl(definition)
    for (const agent of agents) await scene.startAgent(agent, feedOf(`meter-${agent}`))

    const round = await until('a round is over', async () =>
      (await api.rounds()).find(({ state }) => state === 'completed'),
    )
    expect(round).toMatchObject({ version: 1, verdict: 'promote', trigger: { kind: 'volume' } })
    await until('every agent serves version 1', async () => {
      const served = (await api.agents()).flatMap(({ models }) => models)
      return (
        served.length === agents.length &&
        served.every(({ version, phase }) => version === 1 && phase === 'idle')
      )
    })

    const key = `${folder.path}/technician.key`
    await scene.imlma('keys new', { out: key })
    await until('gw-1 trusts the key and does as it is told', async () => {
      const order = { agent: 'gw-1', model: 'load', key, reason: 'a story' }
      return scene.imlma('pin', order).then(
        () => true,
        () => false,
      )
    })
  })

  test('has every reading once', () => {
    const reader = openReadingsReader(`${scene.dataDir}/readings.db`)
    try {
      expect(reader.series({}).map(({ filled }) => filled)).toEqual(agents.map(() => days * 24))
      for (const { acknowledged, highest, lost } of reader.coverage()) {
        expect({ acknowledged, lost }).toEqual({ acknowledged: highest, lost: 0 })
      }
      expect(reader.quarantined()).toEqual({})
    } finally {
      reader.close()
    }
  })
})
