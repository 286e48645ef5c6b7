import { readdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFolder, type Folder } from './house/places.fs.ts'
import { createScene, type Scene } from './house/scene.process.ts'
import { until } from './house/until.timer.ts'

const hourMs = 3_600_000

const definition = {
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  trigger: { volume: 1_000_000, intervalMs: 86_400_000, readingsMin: 1_000_000, coolDownMs: 0 },
}

const feed = {
  kind: 'simulated',
  name: 'feed',
  seed: 1,
  liveFrom: Date.UTC(2025, 2, 3),
  meters: ['meter-001'],
  intervalMs: hourMs,
  historyDays: 1,
  speed: 3_600,
}

let folder: Folder
let scene: Scene
beforeAll(async () => {
  folder = await createFolder('audit')
  scene = await createScene(folder)
})
afterAll(async () => {
  await scene.stop()
  await folder.remove()
})

/** The newest copy of an agent's log at the control centre, line by line; the latest branch last. */
const copyOf = async (agent: string): Promise<readonly string[]> => {
  const where = `${scene.dataDir}/agent-logs/${agent}`
  const names = (await readdir(where).catch(() => [])).filter((name) => name.endsWith('.ndjson')).toSorted()
  return (await Promise.all(names.map((name) => readFile(`${where}/${name}`, 'utf8'))))
    .join('')
    .split('\n')
    .filter((line) => line !== '')
}

test('an agent’s log reaches the control centre signed, and one that was cut is noticed', async () => {
  const api = await scene.startControl(definition)
  await scene.startAgent('gw-1', feed)
  await until('the log is kept', async () => (await copyOf('gw-1')).length >= 3 || undefined)
  const kept = await until('the place is named', async () =>
    (await api.audit()).find(({ event }) => event['kind'] === 'agent-log-kept'),
  )
  expect(kept.event['keyid']).toMatch(/^[0-9a-f]{64}$/)
  expect((await copyOf('gw-1')).join('')).toContain('"kind":"identity"')

  const isAlarmed = async () =>
    (await api.audit()).some(({ event }) => String(event['alert']).startsWith('AUDIT_'))
  expect(await isAlarmed()).toBe(false)

  // Whoever has the gateway removes its own traces, and starts it again.
  await scene.kill('gw-1')
  const log = `${scene.dataDir}/agents/gw-1/audit/0000000000000001.ndjson`
  const [first] = (await readFile(log, 'utf8')).split('\n')
  await writeFile(log, `${first ?? ''}\n`)
  await scene.startAgent('gw-1', feed)
  await until('it is told', isAlarmed)
  expect(await scene.imlma('audit verify')).toMatchObject({ intact: true })
}, 120_000)
