import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { modelDefinitionSchema } from '../lifecycle/definition.ts'
import { registrationRecordSchema } from '../lifecycle/registration/contract-file.ts'
import { createRegistrations, type Registrations } from '../lifecycle/registration/registrations.ts'
import type { ChainedEvent, RegistryEvent } from '../registry/events.ts'
import { createArtifactStore } from '../storage/artifacts.fs.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import { createRegister, type RegisterParts } from './register.ts'
import { createUploads, type Uploads } from './uploads.fs.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const lastAt = Date.UTC(2026, 2, 31)
const definition = modelDefinitionSchema.parse({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  trigger: { volume: 1, intervalMs: hourMs, readingsMin: 100 },
})
const contract = {
  features: { shared: [{ kind: 'lags', lags: [1, 24] }] },
  trainedUntil: lastAt - 30 * dayMs,
  framework: 'scikit-learn 1.8',
  author: 'load research',
  note: 'said in the file',
}
const content = new TextEncoder().encode('the bytes of a model')
const artifact = sha256(content)
const request = { artifact, contract, note: '', by: 'operator' }
async function* sent(): AsyncGenerator<Uint8Array> {
  yield content
}

describe('a registration', () => {
  let folder: string
  let uploads: Uploads
  let artifacts: ArtifactStore
  let registrations: Registrations
  let progress: { run: string | null; events: ChainedEvent[] }
  let runs = 0
  let recorded: RegistryEvent[] = []
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-register-'))
    uploads = await createUploads({ folder: join(folder, 'uploads') })
    artifacts = await createArtifactStore(join(folder, 'artifacts'))
    registrations = createRegistrations(createStateStore(openDatabase(':memory:')), {
      runEvents: async () => progress.events,
    })
    progress = { run: null, events: [] }
    runs = 0
    recorded = []
    await uploads.receive(artifact, sent())
  })
  afterEach(() => rm(folder, { recursive: true }))

  const registerWith = (more: Partial<RegisterParts> = {}) =>
    createRegister({
      uploads,
      artifacts,
      registrations,
      examiner: () => ({ inspect: async () => ({ input: 'X', output: 'variable' }) }),
      registry: {
        runEvents: async () => progress.events,
        append: async (events) => (recorded.push(...events), []),
      },
      lifecycle: {
        progress: () => ({ phase: 'training', run: progress.run, fraction: null, detail: '' }),
        tick: async () => undefined,
      },
      definitions: [definition],
      readingsOf: () => ({ filled: 100, lastAt }),
      newRunId: () => `run-${(runs += 1)}`,
      now: () => 1_000,
      ...more,
    })

  test('keeps the file and its contract, and says which run will decide', async () => {
    const told = await registerWith().register('load', request)
    expect(told).toEqual({ ok: true, value: { run: 'run-1', waitsFor: 0 } })
    expect(await artifacts.get(artifact)).toEqual(Buffer.from(content))
    const [waiting] = await registrations.waiting('load')
    expect(waiting).toMatchObject({
      run: 'run-1',
      artifactSha256: artifact,
      note: 'said in the file',
      by: 'operator',
    })
    const record = JSON.parse((await artifacts.get(waiting?.contractSha256 ?? '')).toString()) as unknown
    expect(registrationRecordSchema.parse(record).contract.inputs[0]?.name).toBe('X')
  })

  test('records a file that was handed in whole, and by whom; not one that is another file', async () => {
    const { upload } = registerWith()
    expect(await upload('f'.repeat(64), sent(), 'ann')).toMatchObject({ ok: false })
    expect(recorded).toEqual([])
    expect(await upload(artifact, sent(), 'ann')).toMatchObject({ ok: true })
    expect(recorded).toEqual([{ kind: 'upload', sha256: artifact, bytes: content.length, by: 'ann' }])
  })

  test('waits for the run that is under way, and for those that came before', async () => {
    progress.run = 'run-0'
    const { register, registrations: list } = registerWith()
    const other = { ...contract, author: 'another' }
    expect(await register('load', request)).toMatchObject({ value: { run: 'run-1', waitsFor: 1 } })
    expect(await register('load', { ...request, contract: other })).toMatchObject({
      value: { run: 'run-2', waitsFor: 2 },
    })
    expect((await list('load')).map(({ run }) => run)).toEqual(['run-1', 'run-2'])
  })

  test('that is repeated because its answer was lost is the same one, waiting or under way', async () => {
    const { register } = registerWith()
    await register('load', request)
    expect(await register('load', request)).toMatchObject({ value: { run: 'run-1' } })
    const trigger = await registrations.next('load', 2_000)
    if (trigger === undefined) throw new Error('nothing waits')
    await registrations.started('load', trigger)
    const event = { kind: 'retraining-triggered' as const, model: 'load', run: 'run-1', trigger }
    progress = { run: 'run-1', events: [{ seq: 1, at: 0, event, previousHash: '', hash: '' }] }
    expect(await register('load', request)).toMatchObject({ value: { run: 'run-1', waitsFor: 0 } })
    expect(await registrations.waiting('load')).toEqual([])
    // Once that run is over, the same file may compete on later readings.
    progress = { ...progress, run: null }
    expect(await register('load', request)).toMatchObject({ value: { run: 'run-3' } })
  })

  const expectRefusal = async (code: string, more: Partial<RegisterParts>, asked: object = {}) => {
    const told = await registerWith(more).register('load', { ...request, ...asked })
    expect(told).toMatchObject({ refusal: { code } })
    expect(await registrations.waiting('load')).toEqual([])
    expect(await artifacts.path(artifact)).toBeUndefined()
  }

  test('is refused while there are too few readings to compare on', async () => {
    await expectRefusal('READINGS_MISSING', { readingsOf: () => ({ filled: 99, lastAt }) })
    await expectRefusal('READINGS_MISSING', { readingsOf: () => ({ filled: 0, lastAt: undefined }) })
  })

  test('is refused where the model has seen the window of the gate', async () => {
    const judgedFrom = lastAt + hourMs - definition.data.evaluationMs
    await expectRefusal('OVERLAP', {}, { contract: { ...contract, trainedUntil: judgedFrom + 1 } })
    const told = await registerWith().register('load', {
      ...request,
      contract: { ...contract, trainedUntil: judgedFrom },
    })
    expect(told.ok).toBe(true)
  })

  test('is refused where its contract is not one of this model', async () => {
    await expectRefusal('CONTRACT_MISMATCH', {}, { contract: { ...contract, unit: 'MWh' } })
    await expectRefusal('MALFORMED', {}, { contract: {} })
    expect(await registerWith().register('none', request)).toMatchObject({
      refusal: { code: 'UNKNOWN_MODEL' },
    })
  })

  test('is refused without its file, and with one that is no good', async () => {
    await expectRefusal('UNKNOWN_ARTIFACT', {}, { artifact: '0'.repeat(64) })
    for (const failure of [
      new Failure('NOT_ONNX', 'no model', { hint: 'send another' }),
      new Failure('TRAINER_CRASHED', 'SIGSEGV', { retryable: true }),
      new Failure('TIME_LIMIT', 'it hangs'),
    ]) {
      await expectRefusal(failure.code, { examiner: () => ({ inspect: () => Promise.reject(failure) }) })
    }
  })
})
