import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Api, Round } from './house/api.http.ts'
import { createMeters, meterNames, meterRegister, type Meters } from './house/meters.mqtt.ts'
import { createFolder, type Folder } from './house/places.fs.ts'
import { createOpenScene, type Scene } from './house/scene.process.ts'
import { until } from './house/until.timer.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Long enough for a training to end within it, short enough to wait for some of them. */
const shortMs = 2_000
const history = 28 * 24
const readingsMin = history * meterNames.length

const definition = (trigger: { readonly volume: number; readonly intervalMs: number }) => ({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: meterRegister,
  intervalMs: hourMs,
  horizon: 24,
  trigger: { ...trigger, readingsMin, coolDownMs: 0 },
  data: { evaluationMs: 7 * dayMs, windowMsMax: 56 * dayMs },
})
const byInterval = definition({ volume: 1_000_000, intervalMs: shortMs })
const byVolume = definition({ volume: 480, intervalMs: dayMs })

let folder: Folder
let scene: Scene
let meters: Meters
let api: Api
beforeAll(async () => {
  folder = await createFolder('trigger')
  scene = await createOpenScene(folder)
  meters = await createMeters(scene.broker, 'gw-1')
})
afterAll(async () => {
  await meters.end()
  await scene.stop()
  await folder.remove()
})

/** Resolves with the rounds, latest first, when there are so many and none is under way. */
const roundsOf = (count: number): Promise<readonly Round[]> =>
  until(`${count} rounds are over`, async () => {
    const rounds = await api.rounds()
    return rounds.length >= count && rounds.every(({ state }) => state === 'completed') && rounds
  })
const triggerOf = async () => (await api.model('load')).trigger
const counted = (readings: number) =>
  until(`${readings} readings are counted`, async () => {
    const trigger = await triggerOf()
    return trigger.readings === readings && trigger
  })

describe('the dual trigger', () => {
  test('starts nothing before there are enough readings, however long it has waited', async () => {
    api = await scene.startControl(byInterval)
    const begun = Date.now()
    await meters.send(history - 1)
    await counted(readingsMin - 2)
    await until('an interval is over', () => Date.now() > begun + shortMs + 500)
    expect(await api.rounds()).toEqual([])
    expect((await triggerOf()).blocked).toMatch(/not enough readings/)
  })

  test('the interval starts a training without the volume', async () => {
    await meters.send(1)
    const [round] = await roundsOf(1)
    expect(round?.trigger).toMatchObject({
      kind: 'interval',
      evidence: { readingsSince: readingsMin, threshold: 1_000_000, intervalMs: shortMs },
    })
  })

  test('without new readings the interval starts nothing: the same data would give the same model', async () => {
    const { dueAt } = await triggerOf()
    await until('two more intervals are over', async () => (await triggerOf()).dueAt > dueAt + 2 * shortMs)
    expect(await api.rounds()).toHaveLength(1)
  })

  test('after an outage of several intervals exactly one training catches up', async () => {
    const { lastTrainingAt, dueAt } = await triggerOf()
    await scene.kill('control')
    for (let day = 0; day < 3; day += 1) await meters.send(24)
    await until('several intervals are over', () => Date.now() > dueAt + 3 * shortMs)

    api = await scene.startControl(byInterval)
    const { trigger: caughtUp } = await until('it catches up', async () => {
      const [latest, ...earlier] = await api.rounds()
      return earlier.length === 1 && latest
    })
    expect(caughtUp).toMatchObject({ kind: 'interval', evidence: { readingsSince: 3 * 24 * 2 } })
    const elapsedMs = caughtUp.at - (lastTrainingAt ?? 0)
    expect(caughtUp.evidence['elapsedMs']).toBe(elapsedMs)
    expect(elapsedMs).toBeGreaterThan(4 * shortMs)

    // Were the missed ones made up for, the next reading would be enough for another one at once.
    await meters.send(1)
    const [next] = await roundsOf(3)
    expect((next?.trigger.at ?? 0) - caughtUp.at).toBeGreaterThanOrEqual(shortMs)
    const after = (await triggerOf()).dueAt
    await until('two more intervals are over', async () => (await triggerOf()).dueAt > after + 2 * shortMs)
    expect(await api.rounds()).toHaveLength(3)
  })

  test('counts and due times survive a kill', async () => {
    await scene.kill('control')
    api = await scene.startControl(byVolume)
    // The old interval ends once more, with nothing to train on.
    await until('the new one holds', async () => (await triggerOf()).dueAt > Date.now() + hourMs)
    await meters.send(100)
    const before = await counted(200)
    await scene.kill('control')
    // What comes while nobody counts is counted afterwards.
    await meters.send(100)
    api = await scene.startControl(byVolume)
    const { dueAt, lastTrainingAt, readings } = await counted(400)
    expect({ dueAt, lastTrainingAt }).toEqual({ dueAt: before.dueAt, lastTrainingAt: before.lastTrainingAt })
    expect(readings).toBe(400)
    expect(await api.rounds()).toHaveLength(3)
  })

  test('the volume starts a training long before the interval', async () => {
    await meters.send(39)
    await counted(478)
    expect(await api.rounds()).toHaveLength(3)
    await meters.send(1)
    const [round] = await roundsOf(4)
    expect(round?.trigger).toMatchObject({ kind: 'volume', evidence: { readingsSince: 480, threshold: 480 } })
  })

  test('a training that was under way when control was killed is ended, not begun again', async () => {
    const { run } = (await scene.imlma('retrain load', { reason: 'killed on the way' })) as { run: string }
    await scene.kill('control')
    api = await scene.startControl(byVolume)
    const rounds = await roundsOf(5)
    expect(rounds).toHaveLength(5)
    expect(rounds[0]).toMatchObject({ run, trigger: { kind: 'manual' } })
    const started = (await api.audit()).filter(({ kind }) => kind === 'retraining-triggered')
    expect(started).toHaveLength(5)
  })

  test('a person starts a training, and says why', async () => {
    await meters.send(24)
    await counted(48)
    const reason = 'new transformer in feeder 3'
    const { run } = (await scene.imlma('retrain load', { reason })) as { run: string }
    const [round] = await roundsOf(6)
    expect(round).toMatchObject({
      run,
      trigger: { kind: 'manual', evidence: { readingsSince: 48, threshold: 480 } },
    })
    expect(round?.trigger.evidence['reason']).toContain(reason)
    await counted(0)
  })
})
