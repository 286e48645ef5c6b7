import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Api, Version } from './house/api.http.ts'
import { createFolder, type Folder } from './house/places.fs.ts'
import { createScene, type Scene } from './house/scene.process.ts'
import { until } from './house/until.timer.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const meters = ['m-1', 'm-2', 'm-3', 'm-4', 'm-5', 'm-6']
const historyDays = 70
const readingsMin = historyDays * 24 * meters.length

const feed = {
  kind: 'simulated',
  name: 'feed',
  seed: 5,
  liveFrom: Date.UTC(2025, 2, 3),
  meters,
  intervalMs: hourMs,
  historyDays,
  // Four days a second: a shadow of weeks in less than half a minute.
  speed: 345_600,
}

/** `volume`: readings that start a training; people start the others. */
const definition = (volume: number, evaluationDays: number, lambda: number) => ({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  trigger: { volume, intervalMs: 7 * dayMs, readingsMin, coolDownMs: 0 },
  learner: 'ridge',
  parameters: { lambdas: [lambda] },
  data: { evaluationMs: evaluationDays * dayMs, windowMsMax: 120 * dayMs },
  shadow: { daysMax: 365 },
})
/** Learns less than it could, and is better than last week all the same. */
const dull = definition(readingsMin, 28, 0.4)
/** Two days are too few for the gate to say anything, whoever is better. */
const keen = definition(1e9, 2, 0.003)
const bad = definition(1e9, 2, 1_000)

let folder: Folder
let scene: Scene
let api: Api
beforeAll(async () => {
  folder = await createFolder('shadow')
  scene = await createScene(folder)
})
afterAll(async () => {
  await scene.stop()
  await folder.remove()
})

const versionOf = async (number: number): Promise<Version | undefined> =>
  (await api.versions('load')).find(({ version }) => version === number)
const startWith = async (next: unknown) => {
  await scene.kill('control')
  api = await scene.startControl(next)
}
/** A training by hand, until its version is in shadow beside the champion. */
const enterShadow = async (number: number): Promise<Version> => {
  await scene.imlma('retrain load', { reason: 'a story' })
  return until(
    `version ${number} is in shadow`,
    async () => {
      const version = await versionOf(number)
      return version?.shadow?.ended === null && version
    },
    60,
  )
}
const endOfShadow = (number: number) =>
  until(
    `the shadow of version ${number} is over`,
    async () => {
      const version = await versionOf(number)
      return version?.shadow?.ended && { ...version, shadow: version.shadow }
    },
    90,
  )

describe('a version that the gate cannot tell from the champion', () => {
  test('runs in shadow beside it, and answers nobody', async () => {
    api = await scene.startControl(dull)
    await scene.startAgent('gw-1', feed)
    await until('version 1 serves', async () => (await versionOf(1))?.servedBy.includes('gw-1'), 60)
    await startWith(keen)
    const version = await enterShadow(2)
    expect(version).toMatchObject({ state: 'inconclusive', champion: false, shadow: { champion: 1 } })
    const model = await until('days are compared', async () => {
      const { shadow } = await api.model('load')
      return shadow !== null && shadow.days > 1 && shadow
    })
    expect(model).toMatchObject({ version: 2, champion: 1, agents: 1, needed: 40 })
    expect((await versionOf(1))?.servedBy).toEqual(['gw-1'])
    const [agent] = await api.agents()
    expect(agent?.models).toMatchObject([{ version: 1, shadow: { version: 2, state: 'running' } }])
  }, 120_000)

  test('serves when live inputs have proved it better, over a kill of the control centre', async () => {
    await startWith(keen)
    const version = await endOfShadow(2)
    expect(version).toMatchObject({ state: 'promoted', shadow: { ended: { reason: 'promoted' } } })
    expect(Number(version.shadow.ended?.evidence['evidence'])).toBeGreaterThanOrEqual(40)
    await until('version 2 serves', async () => (await versionOf(2))?.servedBy.includes('gw-1'))
    await until('the agent has ended its shadow', async () => {
      const [agent] = await api.agents()
      return agent?.models.every(({ shadow }) => shadow === null)
    })
  }, 120_000)

  test('is rejected when live inputs prove it worse, and the champion serves on', async () => {
    await startWith(bad)
    await enterShadow(3)
    expect(await endOfShadow(3)).toMatchObject({
      state: 'rejected',
      shadow: { champion: 2, ended: { reason: 'rejected' } },
    })
    expect((await versionOf(2))?.servedBy).toEqual(['gw-1'])
    const kinds = (await api.audit()).map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'shadow-started')).toHaveLength(2)
    expect(kinds.filter((kind) => kind === 'shadow-ended')).toHaveLength(2)
    expect(await scene.imlma('audit verify', { 'data-dir': scene.dataDir })).toMatchObject({ intact: true })
  }, 120_000)
})
