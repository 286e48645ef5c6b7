import { spawnSync } from 'node:child_process'
import { appendFileSync, readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { layersOf, tinyContract, type Dense } from './serving/testing/index.ts'
import { spawnAgent, startControlCentre, type ControlCentre } from './serving/testing/processes.ts'

const launcher = fileURLToPath(new URL('../bin/imlma-agent.mjs', import.meta.url))

/** One agent with one version, asked while it runs, after it was stopped, and after its model was damaged. */
describe('a technician on the gateway', () => {
  let folder: string
  let centre: ControlCentre
  const dataDir = (): string => join(folder, 'gw-1')
  const ask = (...args: readonly string[]) => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [launcher, ...args, '--data-dir', dataDir()],
      { encoding: 'utf8' },
    )
    return { stdout, stderr, status }
  }
  const askJson = (what: string): unknown => JSON.parse(ask(what, '--json').stdout)

  let running: unknown

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-inspection-'))
    centre = await startControlCentre()
    await writeFile(join(folder, 'root.json'), JSON.stringify(centre.root))
    const agent = spawnAgent([
      '--name',
      'gw-1',
      '--site',
      centre.site,
      '--broker',
      centre.url,
      '--port',
      '0',
      '--root',
      join(folder, 'root.json'),
      '--data-dir',
      dataDir(),
    ])
    await agent.up
    const contract = tinyContract({ features: 4, horizon: 2 })
    centre.assign('gw-1', centre.release(1, layersOf([4, 2])[0] as Dense, contract))
    await vi.waitUntil(() => centre.of('gw-1').reported?.models['load']?.phase === 'idle', 20_000)
    running = { status: askJson('status'), models: askJson('models'), outbox: askJson('outbox') }
    await centre.close()
    await agent.end()
  }, 60_000)
  afterAll(() => rm(folder, { recursive: true }))

  test('is told by the agent itself as long as it runs', () => {
    expect(running).toMatchObject({
      status: { running: true, name: 'gw-1', connected: true, models: { load: { phase: 'idle' } } },
      models: { running: true, models: { load: { phase: 'idle' } } },
      outbox: { running: true, backlog: { readings: 0 } },
    })
  })

  test('is told by the disk what an agent that is stopped would serve, without the control centre', () => {
    expect(askJson('status')).toMatchObject({
      running: false,
      models: { load: { champion: { version: 1 } } },
      backlog: { readings: 0 },
    })
    expect(ask('models').stdout).toContain('load')
    expect(askJson('outbox')).toMatchObject({ running: false, backlog: { batches: 0 } })
  })

  test('reads the last lines of the log', () => {
    const { stdout, status } = ask('logs', '-n', '2')
    expect([stdout.trim().split('\n').length, status]).toEqual([2, 0])
    expect(ask('logs', '-n', '0')).toMatchObject({ status: 1, stderr: expect.stringContaining('--lines') })
  })

  test('sees that every file holds, and which one does not', () => {
    expect(ask('verify', '--json')).toMatchObject({ status: 0 })
    expect(askJson('verify')).toMatchObject({ files: [{ model: 'load', version: 1, ok: true }] })
    const models = join(dataDir(), 'models')
    const artifact = readdirSync(models).find((name) => name.endsWith('.onnx')) as string
    appendFileSync(join(models, artifact), 'x')
    expect(askJson('verify')).toMatchObject({
      files: [{ ok: false, reason: expect.stringContaining('DIGEST_MISMATCH') }],
    })
    expect(ask('verify').status).toBe(1)
  })

  test('a directory that holds nothing is said to', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [launcher, 'verify', '--data-dir', join(folder, 'x')],
      { encoding: 'utf8' },
    )
    expect([status, stderr]).toEqual([1, expect.stringContaining('NO_ROOT')])
  })
})
