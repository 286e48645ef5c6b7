import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createTrainer, type TrainingOutcome } from '@imlma/coordinator/training'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Api } from './house/api.http.ts'
import { createMeters, meterNames, meterRegister, type Meters } from './house/meters.mqtt.ts'
import { createFolder, scripts, type Folder } from './house/places.fs.ts'
import { runProgram } from './house/program.process.ts'
import { createOpenScene, type Scene } from './house/scene.process.ts'
import { until } from './house/until.timer.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const historyHours = 49 * 24

/** Nothing is trained here but on request, and then only by the simplest learner: what competes comes from elsewhere. */
const definition = {
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: meterRegister,
  intervalMs: hourMs,
  horizon: 24,
  learner: 'seasonal-naive',
  trigger: {
    volume: 1_000_000,
    intervalMs: 365 * dayMs,
    readingsMin: historyHours * meterNames.length,
    coolDownMs: 0,
  },
  data: { evaluationMs: 14 * dayMs },
}

interface Verdict {
  readonly run: string
  readonly version: number
  readonly verdict: string
  readonly reasons: readonly string[]
  readonly challenger: { readonly mse: number }
  readonly champion: { readonly mse: number; readonly version: number | null }
}

let folder: Folder
let scene: Scene
let meters: Meters
let api: Api
/** What a research group has: the same readings, its own program, a file. */
let good: TrainingOutcome
let poor: TrainingOutcome
beforeAll(async () => {
  folder = await createFolder('register')
  scene = await createOpenScene(folder)
  meters = await createMeters(scene.broker, 'gw-1')
  api = await scene.startControl(definition)
})
afterAll(async () => {
  await meters.end()
  await scene.stop()
  await folder.remove()
})

/** Trains beside the house, on a dataset that it has frozen. */
const trainElsewhere = async (sha256: string, learner: string): Promise<TrainingOutcome> => {
  const outputFolder = `${folder.path}/elsewhere`
  await mkdir(outputFolder, { recursive: true })
  return createTrainer({ secondsMax: 30, memoryMbMax: 2_048 }).train({
    dataset: { path: `${scene.dataDir}/artifacts/${sha256.slice(0, 2)}/${sha256}`, sha256 },
    task: {
      register: meterRegister,
      intervalMs: hourMs,
      horizon: 24,
      zone: [{ from: 0, offsetMs: 0 }],
      holidays: [],
    },
    learner,
    parameters: {},
    seed: 7,
    outputFolder,
  })
}

let contracts = 0
const contractOf = async (
  { features, trainEnd }: TrainingOutcome,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> => {
  const path = `${folder.path}/contract-${(contracts += 1)}.json`
  const provenance = { framework: 'by hand 1.0', author: 'load research', trainedUntil: trainEnd }
  await writeFile(path, JSON.stringify({ model: 'load', unit: 'kWh', features, ...provenance, ...more }))
  return path
}

const register = async (file: string, contract: string): Promise<Verdict> =>
  (await scene.imlma(`register ${file} --wait`, { contract, note: 'a trial' })) as Verdict

/** The code with which it is refused. */
const refusal = async (file: string, contract: string): Promise<string> => {
  const program = runProgram(scripts.imlma, ['register', file, '--contract', contract, '--wait'], folder.path)
  expect((await program.ended).code).toBe(1)
  expect(program.err()).toContain('hint: ')
  return /^([A-Z_]+): /m.exec(program.err())?.[1] ?? program.err()
}
const lineageOf = (version: number) =>
  api.get<{ steps: unknown; checks: readonly { name: string }[] }>(`models/load/versions/${version}/lineage`)
const championOf = async () => (await api.model('load')).champion?.version

describe('a model that was made elsewhere', () => {
  test('is judged like any other, and promoted when it is better', async () => {
    await meters.send(historyHours)
    await until('the readings are counted', async () => {
      return (await api.model('load')).trigger.readingsTotal === historyHours * meterNames.length
    })
    await scene.imlma('retrain load', { reason: 'for its dataset' })
    const [own] = await until('there is a dataset', async () => {
      const versions = await api.versions('load')
      const decided = versions.some(({ decision }) => decision !== null)
      return decided && (await api.model('load')).run === null && versions
    })
    const { sha256 } = own?.dataset ?? { sha256: '' }
    const trained = [trainElsewhere(sha256, 'ridge'), trainElsewhere(sha256, 'seasonal-naive')] as const
    ;[good, poor] = await Promise.all(trained)

    const { trigger } = await api.model('load')
    const trainedUntil = good.trainEnd - dayMs
    const told = await register(good.artifactPath, await contractOf(good, { trainedUntil }))
    expect(told).toMatchObject({ verdict: 'promote', version: 2, champion: { version: null } })
    expect(told.challenger.mse).toBeLessThan(told.champion.mse)
    expect(await championOf()).toBe(2)
    await until('its run is over', async () => (await api.model('load')).run === null)
    expect((await api.model('load')).trigger, 'nothing was trained by it').toEqual(trigger)

    const { steps, checks } = await lineageOf(2)
    expect(JSON.stringify(steps)).toMatch(/made elsewhere by load research with by hand 1\.0/)
    expect(checks[0]).toMatchObject({ name: 'window-after-training', challenger: trainedUntil })
    const [round] = await api.rounds()
    expect(round).toMatchObject({
      run: told.run,
      trigger: { kind: 'manual', evidence: { registered: good.sha256, note: 'a trial' } },
    })
  })

  test('is rejected when it is worse, and the champion stays', async () => {
    const told = await register(poor.artifactPath, await contractOf(poor))
    expect(told).toMatchObject({ verdict: 'reject', version: 3, champion: { version: 2 } })
    expect(told.reasons).not.toEqual([])
    // Its maker's word about the champion's data counts as long as that is champion.
    expect((await lineageOf(3)).checks[0]).toMatchObject({ champion: good.trainEnd - dayMs })
    expect(await championOf()).toBe(2)
  })

  test('is refused where file or contract are wrong, and leaves nothing behind', async () => {
    const rounds = (await api.rounds()).length
    const broken = `${folder.path}/broken.onnx`
    await writeFile(broken, (await readFile(good.artifactPath)).subarray(0, 500))
    expect(await refusal(broken, await contractOf(good))).toBe('NOT_ONNX')
    const other = await contractOf(good, { unit: 'MWh' })
    expect(await refusal(good.artifactPath, other)).toBe('CONTRACT_MISMATCH')
    const later = await contractOf(good, { trainedUntil: good.trainEnd + 5 * dayMs })
    expect(await refusal(good.artifactPath, later)).toBe('OVERLAP')
    expect(await api.rounds()).toHaveLength(rounds)
    expect(await championOf()).toBe(2)
  })

  test('waits for its turn, and is neither lost nor judged twice when control is killed', async () => {
    const before = await api.rounds()
    const send = async (author: string): Promise<{ run: string; waitsFor: number }> =>
      (await scene.imlma(`register ${poor.artifactPath}`, {
        contract: await contractOf(poor, { author }),
      })) as { run: string; waitsFor: number }
    const [first, second] = [await send('first'), await send('second')]
    await scene.kill('control')
    api = await scene.startControl(definition)
    const rounds = await until('both are decided', async () => {
      const known = await api.rounds()
      return known.length >= before.length + 2 && known.every(({ state }) => state === 'completed') && known
    })
    expect(rounds.slice(0, 2).map(({ run }) => run)).toEqual([second.run, first.run])
    expect(rounds).toHaveLength(before.length + 2)
    expect(await api.get('models/load/registrations')).toEqual([])
  })
})
