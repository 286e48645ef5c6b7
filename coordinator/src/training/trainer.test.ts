import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { utc } from '@imlma/protocol/series'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freezeSnapshot } from '../datasets/snapshot.fs.ts'
import type { TrainingJob } from './job.ts'
import { createTrainer } from './trainer.fork.ts'

const hourMs = 3_600_000
const start = Date.UTC(2024, 0, 1)
let folder = ''
let job: TrainingJob

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-trainer-'))
  const end = start + 30 * 24 * hourMs
  const dataset = await freezeSnapshot(
    { folder },
    {
      v: 1,
      model: 'load',
      site: 'north',
      covariates: [],
      provenance: [],
      series: [
        {
          meter: 'm-1',
          register: 'load',
          intervalMs: hourMs,
          start,
          values: Float32Array.from({ length: 720 }, (_, i) => 5 + Math.sin(i / 4)),
        },
      ],
      window: { start, end },
      trainEnd: end - 48 * hourMs,
      evaluation: { start: end - 24 * hourMs, end },
    },
  )
  job = {
    dataset,
    task: { register: 'load', intervalMs: hourMs, horizon: 12, zone: utc, holidays: [] },
    learner: 'ridge',
    parameters: {},
    seed: 1,
    outputFolder: join(folder, 'artifacts'),
  }
})
afterAll(() => rm(folder, { recursive: true }))

const limits = { secondsMax: 30, memoryMbMax: 1_024, watchMs: 20 }

/** A training process that does something else. */
const programOf = async (name: string, source: string): Promise<URL> => {
  const path = join(folder, `${name}.mjs`)
  await writeFile(
    path,
    `process.once('message', () => { ${source} }); process.once('disconnect', () => process.exit())`,
  )
  return pathToFileURL(path)
}

describe('a trainer', () => {
  test('trains in a process of its own and reports how far it is', async () => {
    const phases = new Set<string>()
    const outcome = await createTrainer(limits).train(job, { onProgress: ({ phase }) => phases.add(phase) })
    expect(outcome.golden[0]?.input).toBeInstanceOf(Float32Array)
    expect(outcome.metrics.validation.r2).toBeGreaterThan(0.99)
    expect([...phases]).toEqual(['load', 'examples', 'train', 'validate', 'refit', 'export'])
  })

  test('evaluates model files in a process of its own', async () => {
    const trainer = createTrainer(limits)
    const { artifactPath: path, features: spec } = await trainer.train(job)
    const range = { start: start + 29 * 24 * hourMs, end: start + 30 * 24 * hourMs }
    const contenders = [{ path, spec }]
    const task = { dataset: job.dataset, register: 'load', contenders, range, originStride: 1 }
    const [evaluation] = await trainer.evaluate(task)
    expect(evaluation?.rows).toBe(13)
    expect(evaluation?.origins).toBeInstanceOf(Float64Array)
    await expect(trainer.evaluate({ ...task, register: 'other' })).rejects.toMatchObject({ code: 'NO_ROWS' })
  })

  test('hands a failure of the job back with its code and hint', async () => {
    const changed = { ...job, dataset: { ...job.dataset, sha256: '0'.repeat(64) } }
    await expect(createTrainer(limits).train(changed)).rejects.toMatchObject({
      code: 'DATASET_CHANGED',
      retryable: false,
      hint: expect.stringContaining('snapshot'),
    })
  })

  test('is cancelled within a second, also in the middle of a computation', async () => {
    const program = await programOf(
      'busy',
      `process.send({ kind: 'progress', progress: { phase: 'train', fraction: 0 }, residentBytes: 0 }, () => { for (;;); })`,
    )
    const abort = new AbortController()
    let abortedAt = 0
    const onProgress = () => {
      abortedAt = performance.now()
      abort.abort()
    }
    await expect(
      createTrainer({ ...limits, program }).train(job, { signal: abort.signal, onProgress }),
    ).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(performance.now() - abortedAt).toBeLessThan(1_000)
    await expect(createTrainer(limits).train(job, { signal: abort.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    })
  })

  test('ends a process that takes too long', async () => {
    const program = await programOf('endless', `for (;;);`)
    await expect(createTrainer({ ...limits, secondsMax: 0.3, program }).train(job)).rejects.toMatchObject({
      code: 'TIME_LIMIT',
    })
  })

  test.runIf(process.platform === 'linux')(
    'ends a process that takes too much memory outside of the heap',
    async () => {
      const program = await programOf(
        'hungry',
        `const all = []; setInterval(() => all.push(Buffer.alloc(20_000_000, 1)), 5)`,
      )
      await expect(createTrainer({ ...limits, memoryMbMax: 300, program }).train(job)).rejects.toMatchObject({
        code: 'OUT_OF_MEMORY',
      })
    },
  )

  test('survives a process that runs out of heap', async () => {
    const program = await programOf('heap', `const all = []; for (;;) all.push({ all: [Math.random()] })`)
    await expect(createTrainer({ ...limits, memoryMbMax: 200, program }).train(job)).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
    })
  })

  test('survives a process that crashes, and says how', async () => {
    const program = await programOf('crash', `process.kill(process.pid, 'SIGSEGV')`)
    await expect(createTrainer({ ...limits, program }).train(job)).rejects.toMatchObject({
      code: 'TRAINER_CRASHED',
      message: expect.stringContaining('SIGSEGV'),
    })
    const silent = await programOf('silent', `process.exit(0)`)
    await expect(createTrainer({ ...limits, program: silent }).train(job)).rejects.toMatchObject({
      code: 'TRAINER_CRASHED',
    })
  })
})
