import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createFolder, scripts, type Folder } from './house/places.fs.ts'
import { descendantsOf, stillLiving } from './house/processes.process.ts'
import { runProgram, type Ending, type Program } from './house/program.process.ts'
import { until } from './house/until.timer.ts'

/** Little enough to be up at once, and no training within the story. */
const feed = ['--meters', '2', '--agents', '2', '--history-days', '1', '--speed', '1']
/** Each of them may be taken by another program. */
const options = ['port', 'mqtt-port', 'mqtts-port', 'gateway-port', 'agent-port']
/** Broker, control and two agents. */
const processes = 4

let folder: Folder
let running: Program | undefined
let pids: readonly number[] = []
beforeAll(async () => {
  folder = await createFolder('start')
})
afterEach(async () => {
  await running?.dispose()
  for (const pid of await stillLiving(pids)) process.kill(pid, 'SIGKILL')
})
afterAll(async () => {
  await folder.remove()
})

const start = (name: string, ports: Readonly<Record<string, number>> = {}): Program => {
  const free = Object.fromEntries(options.map((option) => [option, 0]))
  const chosen = Object.entries({ ...free, ...ports })
  const flags = chosen.flatMap(([option, port]) => [`--${option}`, String(port)])
  running = runProgram(
    scripts.start,
    [...feed, ...flags, '--data-dir', `${folder.path}/${name}`],
    folder.path,
  )
  return running
}

/** All of the house is up; remembers its processes. */
const isUp = async (house: Program): Promise<void> => {
  await house.says(/Agent gw-2: http/)
  pids = await descendantsOf(house.pid)
  expect(pids).toHaveLength(processes)
}

const isGone = () => until('no process is left', async () => (await stillLiving(pids)).length === 0, 20)

const occupy = async (): Promise<{ server: Server; port: number }> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port }
}

describe('npm start', () => {
  test.each(options)(
    'names a port that is taken, and --%s that changes it, and leaves nothing running',
    async (option) => {
      const { server, port } = await occupy()
      const house = start(`taken-${option}`, { [option]: port })
      const seen = new Set<number>()
      let ending: Ending | undefined
      void house.ended.then((how) => (ending = how))
      await until('it ends', async () => {
        for (const pid of await descendantsOf(house.pid)) seen.add(pid)
        return ending
      })
      server.close()
      pids = [...seen]
      expect(ending).toEqual({ code: 1, signal: null })
      expect(house.err()).toMatch(new RegExp(`port ${port} .*(taken|in use)`))
      expect(house.err()).toMatch(new RegExp(`\\s--${option}\\b`))
      await isGone()
    },
  )

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'ends everything on %s, as if nothing had been',
    async (signal) => {
      const house = start(signal)
      await isUp(house)
      house.signal(signal)
      expect(await house.ended).toEqual({ code: 0, signal: null })
      expect(await stillLiving(pids)).toEqual([])
      expect(house.err()).not.toMatch(/error|failed/i)
    },
  )

  test('leaves no orphans when it is killed itself', async () => {
    const house = start('killed')
    await isUp(house)
    house.signal('SIGKILL')
    expect(await house.ended).toEqual({ code: null, signal: 'SIGKILL' })
    await isGone()
  })

  test('goes on in the same place after a kill', async () => {
    const house = start('killed')
    await isUp(house)
    house.signal('SIGINT')
    expect(await house.ended).toEqual({ code: 0, signal: null })
  })
})
