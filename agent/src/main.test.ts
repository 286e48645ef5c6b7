import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { startControlCentre, type ControlCentre } from './serving/testing/control-centre.aedes.ts'
import { spawnAgent, type SpawnedAgent } from './serving/testing/spawn-agent.child.ts'
import { tinyContract } from './serving/testing/tiny-contract.ts'
import { layersOf, type Dense } from './serving/testing/tiny-model.ts'

const contract = tinyContract({ features: 8, horizon: 4, unit: 'kWh' })
const layer = (version: number): Dense => layersOf([8, 4], version / 10)[0] as Dense

let folder: string
let centre: ControlCentre
const agents: SpawnedAgent[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-agent-'))
  centre = await startControlCentre()
  await writeFile(join(folder, 'root.json'), JSON.stringify(centre.root))
  const feed = {
    kind: 'simulated',
    name: 'feed',
    meters: 20,
    speed: 9_000,
    historyDays: 2,
    register: contract.register,
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify({ sources: [feed], reportEveryMs: 300 }))
  await writeFile(join(folder, 'bad.json'), '{"sources": [], "reportEveryMs": "often"}')
})
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.end('SIGKILL')
})
afterAll(async () => {
  await centre.close()
  await rm(folder, { recursive: true })
})

const start = (name: string, ...more: readonly string[]): SpawnedAgent => {
  const common = [
    '--name',
    name,
    '--site',
    centre.site,
    '--broker',
    centre.url,
    '--port',
    '0',
    '--log',
    'warn',
  ]
  const state = ['--root', join(folder, 'root.json'), '--data-dir', join(folder, name)]
  const agent = spawnAgent([...common, ...state, ...more])
  agents.push(agent)
  return agent
}
const get = async <Document>(url: string): Promise<Document> => (await fetch(url)).json() as Promise<Document>
const until = (condition: () => unknown, timeout = 9_000) =>
  vi.waitUntil(condition, { timeout, interval: 20 })

describe('an agent as a process', () => {
  test('installs, serves, forecasts, reports, rolls back, and serves again after a restart without its broker', async () => {
    const first = start('gw-1', '--config', join(folder, 'config.json'))
    const url = await first.up
    const said = centre.of('gw-1')
    await until(() => said.presence?.state === 'online' && said.batches.size > 0)

    centre.assign('gw-1', centre.release(1, layer(1), contract))
    await until(() => said.reported?.models['load']?.active?.version === 1)
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200)
    const body = JSON.stringify({
      inputs: [{ name: 'features', shape: [1, 8], datatype: 'FP32', data: [1, 1, 1, 1, 1, 1, 1, 1] }],
    })
    const answer = await fetch(`${url}/v2/models/load/infer`, { method: 'POST', body })
    expect(await answer.json()).toMatchObject({ model_version: '1', outputs: [{ shape: [1, 4] }] })
    await vi.waitFor(async () => {
      expect(await get(`${url}/forecasts?model=load`)).toMatchObject({ total: 20 })
    }, 5_000)
    await until(() => said.reports.some(({ versions }) => (versions[0]?.errors.count ?? 0) > 0))

    centre.assign('gw-1', centre.release(2, layer(2), contract))
    await until(() => said.reported?.models['load']?.active?.version === 2)
    await until(() => said.reported?.models['load']?.phase === 'idle')
    centre.command('gw-1', { operation: 'rollback', target: 'previous', counter: 1 })
    await until(() => said.results.some(({ state }) => state === 'succeeded'))
    await until(() => said.reported?.models['load']?.active?.version === 1)
    expect(said.reported?.models['load']?.pinned).toBe(true)

    const startedStopping = performance.now()
    expect(await first.end()).toBe(0)
    expect(performance.now() - startedStopping).toBeLessThan(3_000)
    await until(() => said.presence?.state === 'offline')

    // The stored root holds: the file on the command line is not needed any more.
    const again = start('gw-1', '--broker', 'mqtt://127.0.0.1:9', '--root', join(folder, 'gone.json'))
    const models = await get(`${await again.up}/v2/models/load`)
    expect(models).toMatchObject({ versions: ['1'] })
    expect(await again.end('SIGINT')).toBe(0)
  }, 30_000)

  test('never shares its data directory', async () => {
    await start('gw-2').up
    const second = start('gw-2')
    await expect(second.up).rejects.toThrow('DATA_DIR_IN_USE')
    expect(await second.end()).toBe(1)
  })

  test('says which option changes a port that is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    await expect(start('gw-3', '--port', String(port)).up).rejects.toThrow(/PORT_TAKEN.*--port/)
    other.close()
  })

  test('names what is wrong in its configuration', async () => {
    await expect(start('gw-4', '--config', join(folder, 'bad.json')).up).rejects.toThrow(/reportEveryMs/)
  })

  test('takes over another configuration on SIGHUP, and none that is wrong, without losing a reading', async () => {
    const file = join(folder, 'reload.json')
    const feed = { kind: 'simulated', historyDays: 1, register: contract.register }
    const one = { ...feed, name: 'one', meters: 5, speed: 1 }
    const configure = (document: object) => writeFile(file, JSON.stringify(document))
    await configure({ sources: [one, { ...feed, name: 'two', meters: ['b'], speed: 1 }] })
    const agent = start('gw-6', '--config', file, '--log', 'info')
    const url = await agent.up
    const sourcesOf = async () =>
      (await get<{ sources: { name: string; state: string }[] }>(`${url}/status`)).sources
    const isLive = async (...names: readonly string[]) => {
      const sources = await sourcesOf()
      return (
        names.length === sources.length &&
        sources.every(({ state }, i) => state === 'live' && sources[i]?.name === names[i])
      )
    }
    await until(() => isLive('one', 'two'))

    await configure({ sources: [{ ...one, speed: 'fast' }], colour: 'red' })
    agent.process.kill('SIGHUP')
    await until(() => /all runs on as it was/.test(agent.log()))
    expect(agent.log()).toContain('no such setting: colour')
    expect(await isLive('one', 'two')).toBe(true)

    await configure({
      settleMs: 2_000,
      sources: [
        { ...one, speed: 2 },
        { ...feed, name: 'three', meters: ['c'], speed: 1 },
      ],
    })
    agent.process.kill('SIGHUP')
    await until(() => isLive('one', 'three'))
    await until(() => /configuration was read again/.test(agent.log()))
    const said =
      agent
        .log()
        .split('\n')
        .find((line) => line.includes('was read again')) ?? ''
    expect(JSON.parse(said)).toMatchObject({
      added: ['three'],
      changed: ['one'],
      removed: ['two'],
      needRestart: ['settleMs'],
    })
    // A day of history of each, once: what changed went on at its cursor.
    const slots = 86_400_000 / contract.intervalMs
    const received = () =>
      [...centre.of('gw-6').batches.values()].reduce((sum, readings) => sum + readings, 0)
    await until(() => received() >= 7 * slots)
    expect(received()).toBeLessThan(7 * slots + slots)
    expect(await agent.end()).toBe(0)
  }, 30_000)

  test('refuses a trust root that is none', async () => {
    await expect(start('gw-5', '--root', join(folder, 'config.json')).up).rejects.toThrow('BAD_ROOT')
  })
})
