import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { skillOf } from '@imlma/protocol/metrics'
import { utc } from '@imlma/protocol/series'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freezeSnapshot, type FrozenSnapshot } from '../datasets/snapshot.fs.ts'
import type { SnapshotContent } from '../datasets/snapshot.ts'
import { createRandom } from '../tuning/random.ts'
import { evaluateModel } from './evaluate.onnx.ts'
import type { TrainingJob } from './job.ts'
import { runTrainingJob } from './run-job.onnx.ts'
import { loadTensorFlow } from './tensorflow.tfjs.ts'

const hourMs = 3_600_000
const [days, dayHours] = [40, 24]
const start = Date.UTC(2024, 2, 4)
const register = '1-0:1.8.0'

/** Two meters, one ten times the other: days that follow one another, and a surge that lasts when two high hours meet. */
const contentOf = (): SnapshotContent => {
  const valuesOf = (size: number, seed: number): Float32Array => {
    const random = createRandom(seed)
    let [surge, last] = [0, 0]
    return Float32Array.from({ length: days * dayHours }, (_, i) => {
      const noise = random.normal()
      surge = 0.8 * surge + (noise > 0 && last > 0 ? 0.2 * noise : 0)
      last = noise
      return size * (3 + Math.sin((2 * Math.PI * i) / dayHours) + 0.1 * noise + surge)
    })
  }
  return {
    v: 1,
    model: 'load',
    site: 'north',
    series: [1, 10].map((size, i) => ({
      meter: `m-${i}`,
      register,
      intervalMs: hourMs,
      start,
      values: valuesOf(size, i),
    })),
    covariates: [],
    window: { start, end: start + days * dayHours * hourMs },
    trainEnd: start + (days - 8) * dayHours * hourMs,
    evaluation: { start: start + (days - 7) * dayHours * hourMs, end: start + days * dayHours * hourMs },
    provenance: [],
  }
}

const content = contentOf()
let folder = ''
let dataset: FrozenSnapshot
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-run-job-'))
  dataset = await freezeSnapshot({ folder }, content)
})
afterAll(() => rm(folder, { recursive: true }))

const quietly = { onProgress: () => undefined, signal: new AbortController().signal }

/** Trains, and lets the file forecast what it has not seen. */
const goThrough = async (learner: string, parameters: TrainingJob['parameters']) => {
  const task = { register, intervalMs: hourMs, horizon: 6, zone: utc, holidays: [] }
  const job = { dataset, task, learner, parameters, seed: 1, outputFolder: join(folder, 'artifacts') }
  const outcome = await runTrainingJob(job, quietly)
  const { errors, baseline } = await evaluateModel(content, {
    path: outcome.artifactPath,
    spec: outcome.features,
    range: content.evaluation,
    originStride: 1,
  })
  return { outcome, skill: skillOf(errors, baseline) }
}

describe('a training goes from the snapshot to a file that repeats its trainer', () => {
  test.each([
    ['of trees', 'trees', { rounds: 60 }],
    ['of trees on ridge', 'trees', { rounds: 20, base: 'ridge' }],
  ])('%s', async (_name, learner, parameters) => {
    const { outcome, skill } = await goThrough(learner, parameters)
    expect(outcome.parity).toBeLessThan(1e-5)
    expect(outcome.learner).toBe('trees')
    expect(outcome.parameters['trees']).toBeGreaterThan(0)
    expect(outcome.golden).toHaveLength(8)
    expect(skill).toBeGreaterThan(0.2)
  })

  test('of a recurrent network', async (context) => {
    context.skip(
      (await loadTensorFlow()) === undefined,
      'TensorFlow.js is not installed: pnpm install brings it',
    )
    const { outcome, skill } = await goThrough('recurrent', { units: 12, head: 16, epochsMax: 3 })
    expect(outcome.parity).toBeLessThan(1e-5)
    expect(outcome.learner).toBe('recurrent')
    expect(outcome.parameters['epochsKept']).toBeLessThanOrEqual(3)
    expect(skill).toBeGreaterThan(0.2)
  })
})
