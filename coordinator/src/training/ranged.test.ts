import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFeatureBuilder } from '@imlma/protocol/features'
import { utc } from '@imlma/protocol/series'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freezeSnapshot, type FrozenSnapshot } from '../datasets/snapshot.fs.ts'
import type { SnapshotContent } from '../datasets/snapshot.ts'
import { createRandom } from '../tuning/random.ts'
import { buildExamples, placesOf } from './examples.ts'
import type { TrainingJob, TrainingOutcome } from './job.ts'
import { runTrainingJob } from './run-job.onnx.ts'
import { openForecastSession } from './session.onnx.ts'

const hourMs = 3_600_000
const [days, dayHours] = [90, 24]
const start = Date.UTC(2024, 0, 1)
const register = '1-0:1.8.0'
const isDay = (at: number): boolean => new Date(at).getUTCHours() >= 8 && new Date(at).getUTCHours() < 20

/** Two meters, one a hundred times the other; by day the noise is six times that of the night. */
const content: SnapshotContent = {
  v: 1,
  model: 'load',
  site: 'north',
  series: [1, 100].map((size, i) => {
    const random = createRandom(i + 1)
    return {
      meter: `m-${i}`,
      register,
      intervalMs: hourMs,
      start,
      values: Float32Array.from({ length: days * dayHours }, (_, hour) => {
        const noise = (isDay(start + hour * hourMs) ? 0.3 : 0.05) * random.normal()
        return size * (3 + Math.sin((2 * Math.PI * hour) / dayHours) + noise)
      }),
    }
  }),
  covariates: [],
  window: { start, end: start + days * dayHours * hourMs },
  trainEnd: start + (days - 15) * dayHours * hourMs,
  evaluation: { start: start + (days - 14) * dayHours * hourMs, end: start + days * dayHours * hourMs },
  provenance: [],
}

let folder = ''
let dataset: FrozenSnapshot
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-ranged-'))
  dataset = await freezeSnapshot({ folder }, content)
})
afterAll(() => rm(folder, { recursive: true }))

const train = (
  learner: string,
  quantiles: readonly number[] = [0.1, 0.5, 0.9],
  parameters: TrainingJob['parameters'] = {},
): Promise<TrainingOutcome> =>
  runTrainingJob(
    {
      dataset,
      task: { register, intervalMs: hourMs, horizon: 6, zone: utc, holidays: [], quantiles },
      learner,
      parameters,
      seed: 1,
      outputFolder: join(folder, 'artifacts'),
    },
    { onProgress: () => undefined, signal: new AbortController().signal },
  )

interface Place {
  readonly at: number
  readonly size: number
  readonly actual: number
  /** Ascending. */
  readonly range: readonly number[]
}

/** What the file says of the evaluation window, which nothing was chosen on. */
const lookAt = async ({ artifactPath, features: spec, quantiles }: TrainingOutcome): Promise<Place[]> => {
  const builder = createFeatureBuilder(spec)
  const places = placesOf(content, builder, content.evaluation, 1)
  const { features, targets, rows, origins, series } = buildExamples(content, builder, places, 'complete')
  const session = await openForecastSession(artifactPath)
  try {
    const values = await session.quantiles(features, rows)
    const count = quantiles?.length ?? 0
    return Array.from(targets, (actual, i) => {
      const [row, step] = [Math.floor(i / spec.horizon), i % spec.horizon]
      return {
        at: (origins[row] as number) + step * hourMs,
        size: series[row] === 0 ? 1 : 100,
        actual,
        range: Array.from(
          { length: count },
          (_, q) => values[(row * count + q) * spec.horizon + step] as number,
        ),
      }
    })
  } finally {
    await session.close()
  }
}

const coverageOf = (places: readonly Place[]): number =>
  places.filter(({ actual, range }) => actual >= (range[0] as number) && actual <= (range.at(-1) as number))
    .length / places.length

const widthOf = (places: readonly Place[]): number =>
  places.reduce((sum, { range, size }) => sum + ((range.at(-1) as number) - (range[0] as number)) / size, 0) /
  places.length

describe('quantiles of whatever was trained', () => {
  test.each([
    ['ridge', {}],
    ['trees', { rounds: 40, longRowsMax: 8_000 }],
    ['seasonal-naive', {}],
    ['perceptron', { epochs: 5, members: 1, width: 16 }],
  ])(
    'hold four in five actuals with %s, by day and by night, of large meters and small',
    async (name, parameters) => {
      const outcome = await train(name, undefined, parameters)
      expect(outcome.quantiles).toEqual([0.1, 0.5, 0.9])
      expect(outcome.parity).toBeLessThan(1e-5)
      expect(outcome.parameters).toMatchObject({ residualQuantiles: [0.1, 0.5, 0.9] })
      expect('quantiles' in outcome.parameters).toBe(false)
      expect(outcome.golden.map(({ quantiles }) => quantiles?.length)).toEqual(Array(8).fill(18))
      const places = await lookAt(outcome)
      expect(places.every(({ range: [low, middle, high] }) => low! <= middle! && middle! <= high!)).toBe(true)
      const [day, night] = [places.filter(({ at }) => isDay(at)), places.filter(({ at }) => !isDay(at))]
      expect(coverageOf(places)).toBeGreaterThan(0.75)
      expect(coverageOf(places)).toBeLessThan(0.87)
      // One width for all hours would hold every actual of the night.
      for (const part of [day, night, places.filter(({ size }) => size === 1)]) {
        expect(coverageOf(part)).toBeGreaterThan(0.65)
        expect(coverageOf(part)).toBeLessThan(0.95)
      }
      // Seasonal naive errs by the noise of both days; everyone is to know that days are less certain.
      expect(widthOf(day)).toBeGreaterThan(2.5 * widthOf(night))
    },
  )

  test('are those that the learner has learned where its parameters ask for them', async () => {
    const outcome = await train('trees', [0.1, 0.5, 0.9], {
      rounds: 20,
      longRowsMax: 8_000,
      quantiles: [0.25, 0.75],
    })
    expect(outcome.quantiles).toEqual([0.25, 0.75])
    expect(outcome.parity).toBeLessThan(1e-5)
  })

  test('are none where none are asked for', async () => {
    const outcome = await train('ridge', [])
    expect('quantiles' in outcome).toBe(false)
    expect(outcome.golden.some((vector) => 'quantiles' in vector)).toBe(false)
    await expect(lookAt(outcome)).rejects.toMatchObject({ code: 'CONTRACT_MISMATCH' })
  })

  test('change nothing of the forecast', async () => {
    const [plain, ranged] = [await train('ridge', []), await train('ridge')]
    expect(ranged.golden.map(({ output }) => output)).toEqual(plain.golden.map(({ output }) => output))
    expect(ranged.metrics).toEqual(plain.metrics)
  })

  test('of ridge itself are its parameter as well', async () => {
    const outcome = await train('ridge', [], { quantiles: [0.05, 0.95] })
    expect(outcome.quantiles).toEqual([0.05, 0.95])
    const coverage = coverageOf(await lookAt(outcome))
    expect(coverage).toBeGreaterThan(0.84)
    expect(coverage).toBeLessThan(0.97)
  })
})
