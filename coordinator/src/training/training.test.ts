import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFeatureBuilder, featureSpecSchema } from '@imlma/protocol/features'
import { metricsOf, skillOf } from '@imlma/protocol/metrics'
import { sha256 } from '@imlma/protocol/node'
import { utc } from '@imlma/protocol/series'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freezeSnapshot, type FrozenSnapshot } from '../datasets/snapshot.fs.ts'
import type { SnapshotContent } from '../datasets/snapshot.ts'
import { evaluateModel, evaluateModels } from './evaluate.onnx.ts'
import { buildExamples, placesOf, shareFor, thinned } from './examples.ts'
import type { TrainingJob } from './job.ts'
import { defaultFeatureSpec } from './recipe.ts'
import { parityOf } from './parity.ts'
import { runTrainingJob } from './run-job.onnx.ts'
import { createScoreKeeper } from './score.ts'
import { openForecastSession } from './session.onnx.ts'
import { zoneTransitions } from './zone.os.ts'

const hourMs = 3_600_000
const day = 24 * hourMs
const start = Date.UTC(2024, 2, 4)

/** Meters of very different size with a day, a week, a weather that is known in advance, and noise that is not. */
const snapshotOf = (meters: number, days: number): SnapshotContent => {
  const length = days * 24
  let state = 11
  const random = () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5
  const weather = Float32Array.from(
    { length },
    (_, i) => 15 + 8 * Math.sin(i / 50) + 4 * Math.sin((2 * Math.PI * i) / 24),
  )
  return {
    v: 1,
    model: 'load',
    site: 'north',
    series: Array.from({ length: meters }, (_, meter) => ({
      meter: `m-${meter}`,
      register: '1-0:1.8.0',
      intervalMs: hourMs,
      start,
      values: Float32Array.from({ length }, (__, i) => {
        const weekend = Math.floor(i / 24) % 7 > 4 ? 0.7 : 1
        const daily = 1 + 0.4 * weekend * Math.sin((2 * Math.PI * (i - 6)) / 24)
        return 10 ** meter * (daily + 0.02 * Math.max(0, (weather[i] ?? 0) - 16) + 0.05 * random())
      }),
    })),
    covariates: [{ meter: 'north', register: 'temperature', intervalMs: hourMs, start, values: weather }],
    window: { start, end: start + days * day },
    trainEnd: start + (days - 8) * day,
    evaluation: { start: start + (days - 7) * day, end: start + days * day },
    provenance: [],
  }
}

const content = snapshotOf(4, 42)
let folder = ''
let frozen: FrozenSnapshot
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-training-'))
  frozen = await freezeSnapshot({ folder }, content)
})
afterAll(() => rm(folder, { recursive: true }))

const jobFor = (
  learner: string,
  task: Partial<TrainingJob['task']> = {},
  parameters: object = {},
): TrainingJob => ({
  dataset: frozen,
  task: { register: '1-0:1.8.0', intervalMs: hourMs, horizon: 24, zone: utc, holidays: [], ...task },
  learner,
  parameters: { ...parameters },
  seed: 1,
  outputFolder: join(folder, 'artifacts'),
})

const quietly = { onProgress: () => undefined, signal: new AbortController().signal }
const withWeather = { covariates: [{ name: 'temperature', knots: [16] }] }

const evaluate = async (job: TrainingJob) => {
  const outcome = await runTrainingJob(job, quietly)
  const evaluation = await evaluateModel(content, {
    path: outcome.artifactPath,
    spec: outcome.features,
    range: content.evaluation,
    originStride: 1,
  })
  return { outcome, evaluation }
}

describe('a training', () => {
  test('of ridge beats seasonal naive on meters of every size, and weather that is known makes it better still', async () => {
    const plain = await evaluate(jobFor('ridge'))
    const informed = await evaluate(jobFor('ridge', withWeather))
    const naive = await evaluate(jobFor('seasonal-naive'))
    expect(skillOf(plain.evaluation.errors, naive.evaluation.errors)).toBeGreaterThan(0.3)
    expect(skillOf(informed.evaluation.errors, plain.evaluation.errors)).toBeGreaterThan(0.1)
    for (const meter of ['m-0', 'm-1', 'm-2', 'm-3']) {
      const errors = informed.evaluation.meters[meter]
      expect(errors && metricsOf(errors).r2).toBeGreaterThan(0.9)
    }
    expect(naive.evaluation.errors).toEqual(naive.evaluation.baseline)
    expect(naive.outcome.parameters).toEqual({ seasonSteps: 24 })
  })

  test('gives an artifact under its own hash, golden vectors that its file repeats, and a reference profile', async () => {
    const outcome = await runTrainingJob(jobFor('ridge', withWeather), quietly)
    const bytes = await readFile(outcome.artifactPath)
    expect([sha256(bytes), bytes.length]).toEqual([outcome.sha256, outcome.bytes])
    expect(outcome.golden).toHaveLength(8)
    for (const { input, output } of outcome.golden) {
      expect(input).toHaveLength(createFeatureBuilder(outcome.features).count)
      expect(output).toHaveLength(24)
    }
    expect(outcome.parity).toBeLessThan(1e-5)
    expect(outcome.trainEnd).toBe(content.trainEnd)
    expect(outcome.rows.train).toBeGreaterThan(1_000)
    // Four meters, all values before the end of the training window, ten bins.
    expect(outcome.reference.inputs['value']?.rows).toBe(4 * 34 * 24)
    expect(outcome.reference.inputs['value']?.histogram.counts).toHaveLength(10)
    expect(outcome.reference.residuals.rows).toBe(outcome.rows.validation * 24)
    expect(outcome.metrics.validation.r2).toBeGreaterThan(0.9)
  })

  test('forecasts a meter that is 64 times larger 64 times higher', async () => {
    const { artifactPath, features, golden } = await runTrainingJob(jobFor('ridge', withWeather), quietly)
    const { roles } = createFeatureBuilder(features)
    const session = await openForecastSession(artifactPath)
    for (const { input, output } of golden) {
      const larger = input.map((value, column) => (roles[column] === 'plain' ? value : 64 * value))
      expect(
        parityOf(
          await session.run(larger, 1),
          output.map((value) => 64 * value),
          24,
        ),
      ).toBeLessThan(1e-5)
    }
    await session.close()
  })

  test('of a perceptron goes the same way and is no worse than ridge where a line is enough', async () => {
    const wishes = { members: 1, width: 16, epochs: 5, batchRows: 128, quantiles: [0.1, 0.5, 0.9] }
    const { outcome, evaluation } = await evaluate(jobFor('perceptron', withWeather, wishes))
    const line = await evaluate(jobFor('ridge', withWeather))
    expect(outcome.parity).toBeLessThan(1e-5)
    expect(outcome.parameters['epochsKept']).toHaveLength(1)
    expect(skillOf(evaluation.errors, line.evaluation.errors)).toBeGreaterThan(-0.02)
  })

  test('is the same twice', async () => {
    const [first, second] = [
      await runTrainingJob(jobFor('ridge'), quietly),
      await runTrainingJob(jobFor('ridge'), quietly),
    ]
    expect(first.sha256).toBe(second.sha256)
  })

  test.each([
    { form: 'shared', normalisation: { level: 'last', scale: 'none' } },
    { form: 'shared', normalisation: { level: 'none', scale: 'none' } },
    { form: 'per-step', normalisation: { level: 'none', scale: 'deviation' } },
    { form: 'per-step', normalisation: { level: 'last', scale: 'deviation' }, refit: false },
  ])('exports ridge faithfully as $form, $normalisation', async (parameters) => {
    // One meter: without a scale, meters a thousand times apart are beyond what float32 can repeat.
    const dataset = await freezeSnapshot({ folder }, snapshotOf(1, 30))
    const job = { ...jobFor('ridge', {}, { ...parameters, lambdas: [0.001] }), dataset }
    const outcome = await runTrainingJob(job, quietly)
    expect(outcome.parity).toBeLessThan(1e-5)
    expect(outcome.parameters['lambda']).toBe(0.001)
  })

  test('leaves rows with missing targets out, and counts them', async () => {
    const holes = snapshotOf(2, 30)
    holes.series[0]?.values.fill(Number.NaN, 300, 310)
    const snapshot = await freezeSnapshot({ folder }, holes)
    const outcome = await runTrainingJob({ ...jobFor('ridge'), dataset: snapshot }, quietly)
    expect(outcome.dropped.targetMissing).toBe(10 + 23)
  })

  const refusals: readonly [string, () => TrainingJob, string][] = [
    ['an unknown learner', () => jobFor('oracle'), 'UNKNOWN_LEARNER'],
    ['parameters that make no sense', () => jobFor('ridge', {}, { lambdas: [-1] }), 'BAD_PARAMETERS'],
    ['a register that is not there', () => jobFor('ridge', { register: '1-0:2.8.0' }), 'NO_SERIES'],
    ['a horizon as long as the history', () => jobFor('ridge', { horizon: 700 }), 'TOO_FEW_ROWS'],
    [
      'a season that the features do not hold',
      () => jobFor('seasonal-naive', {}, { seasonSteps: 31 }),
      'FEATURES_MISSING',
    ],
    [
      'a normalisation that the features do not hold',
      () =>
        jobFor(
          'ridge',
          {
            features: featureSpecSchema.parse({
              v: 1,
              intervalMs: hourMs,
              horizon: 24,
              seasonSteps: 24,
              missingMax: 0,
              zone: [...utc],
              holidays: [],
              shared: [{ kind: 'lags', lags: [1, 24] }],
              step: [],
            }),
          },
          { normalisation: { level: 'mean', scale: 'none' } },
        ),
      'FEATURES_MISSING',
    ],
    [
      'another hash',
      () => ({ ...jobFor('ridge'), dataset: { path: frozen.path, sha256: '0'.repeat(64) } }),
      'DATASET_CHANGED',
    ],
  ]
  test.each(refusals)('refuses %s', async (_name, job, code) => {
    await expect(runTrainingJob(job(), quietly)).rejects.toMatchObject({ code })
  })

  test('stops when it is aborted', async () => {
    const abort = new AbortController()
    const run = { onProgress: () => abort.abort(new Error('enough')), signal: abort.signal }
    await expect(runTrainingJob(jobFor('ridge'), run)).rejects.toThrow('enough')
  })
})

describe('an evaluation', () => {
  test('gives paired errors per row that add up to the whole', async () => {
    const { evaluation } = await evaluate(jobFor('ridge'))
    const { rows, squaredErrors, absoluteErrors, errors, baseline } = evaluation
    expect(rows).toBe(4 * (7 * 24 - 24 + 1))
    expect([squaredErrors.length, evaluation.origins.length, evaluation.rowMeters.length]).toEqual([
      rows,
      rows,
      rows,
    ])
    const total = squaredErrors.reduce((sum, error) => sum + error * 24, 0)
    expect(total / errors.squaredErrorSum).toBeCloseTo(1, 5)
    expect(absoluteErrors.reduce((sum, error) => sum + error * 24, 0) / errors.absoluteErrorSum).toBeCloseTo(
      1,
      5,
    )
    expect(baseline.count).toBe(errors.count)
    expect(Math.min(...evaluation.origins)).toBe(content.evaluation.start)
  })

  test('of several models is on the rows that all of them can forecast', async () => {
    const short = await runTrainingJob(jobFor('seasonal-naive'), quietly)
    const long = await runTrainingJob(jobFor('ridge', withWeather), quietly)
    const holes = snapshotOf(2, 42)
    // A short gap in the weather only stops the model that looks at it.
    holes.covariates[0]?.values.fill(Number.NaN, 38 * 24, 38 * 24 + 3)
    const contenders = [short, long].map(({ artifactPath, features }) => ({
      path: artifactPath,
      spec: features,
    }))
    const window = { range: content.evaluation, originStride: 1 }
    const [naive, informed] = await evaluateModels(holes, contenders, window)
    expect(naive?.rows).toBe(2 * (145 - 26))
    expect(naive?.dropped.covariateMissing).toBe(2 * 26)
    for (const key of ['rowMeters', 'origins', 'actuals', 'baseline'] as const)
      expect(naive?.[key]).toEqual(informed?.[key])
    expect(naive?.errors.count).toBe(informed?.errors.count)
  })

  test('counts a forecast that is no number as infinitely wrong', () => {
    const keeper = createScoreKeeper(2, 1)
    const values = Float32Array.of(1, 2, 3, 4)
    const series = [{ meter: 'a', register: 'r', intervalMs: hourMs, start, values }]
    const row = {
      rows: 1,
      features: new Float32Array(0),
      targets: values.slice(2),
      series: Uint32Array.of(0),
      origins: Float64Array.of(start + 2 * hourMs),
    }
    keeper.add(series, { ...row, dropped: { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 } }, [
      3,
      Number.NaN,
    ])
    expect(metricsOf(keeper.score().errors)).toMatchObject({
      count: 2,
      mse: Infinity,
      mae: Infinity,
      r2: -Infinity,
    })
  })

  test('without a complete row says so', async () => {
    const { outcome } = await evaluate(jobFor('seasonal-naive'))
    const range = { start: start - 10 * day, end: start - 5 * day }
    await expect(
      evaluateModel(content, { path: outcome.artifactPath, spec: outcome.features, range, originStride: 1 }),
    ).rejects.toMatchObject({ code: 'NO_ROWS' })
    await writeFile(join(folder, 'broken.onnx'), 'no model')
    await expect(
      evaluateModel(content, {
        path: join(folder, 'broken.onnx'),
        spec: outcome.features,
        range: content.evaluation,
        originStride: 1,
      }),
    ).rejects.toMatchObject({ code: 'LOAD_FAILED' })
  })

  test('of parity asks of a forecast of nearly nothing what rounding leaves of the usual ones', () => {
    // A night of a roof's power between two days: 10⁻⁷ of the level is rounding, 10⁻⁵ of it is not.
    const [days, night] = [
      [800, 900, 1_000, 900],
      [1e-3, 0],
    ]
    expect(parityOf([...days, 1.1e-3, 0], [...days, ...night], 2)).toBeLessThan(1e-5)
    expect(parityOf([...days, 1.1e-2, 0], [...days, ...night], 2)).toBeGreaterThan(1e-5)
    expect(parityOf([1_000.02, ...days.slice(1)], [1_000, ...days.slice(1)], 2)).toBeCloseTo(2e-5, 9)
    expect(parityOf([0, 1e-12], [0, 0], 2)).toBeLessThan(1e-5)
  })

  test('of parity takes NaN for the worst', () => {
    expect(parityOf([1, 2], [1, 2], 2)).toBe(0)
    expect(parityOf([1, 2.002], [1, 2], 2)).toBeCloseTo(1e-3, 9)
    expect(parityOf([Number.NaN, 2], [1, 2], 2)).toBeNaN()
  })
})

describe('examples', () => {
  const spec = featureSpecSchema.parse({
    v: 1,
    intervalMs: hourMs,
    horizon: 3,
    seasonSteps: 24,
    missingMax: 0,
    zone: [...utc],
    holidays: [],
    shared: [{ kind: 'lags', lags: [1, 2] }],
    step: [],
  })
  const builder = createFeatureBuilder(spec)
  const tiny = {
    series: [
      {
        meter: 'a',
        register: 'r',
        intervalMs: hourMs,
        start,
        values: Float32Array.of(0, 1, 2, 3, 4, 5, Number.NaN, 7, 8, 9, 10),
      },
    ],
    covariates: [],
  }

  test('lie where all targets are inside the range', () => {
    const origins = placesOf(tiny, builder, { start: start + hourMs, end: start + 6 * hourMs }, 1).map(
      ({ origin }) => (origin - start) / hourMs,
    )
    expect(origins).toEqual([2, 3])
    expect(
      placesOf(tiny, builder, { start, end: start + 11 * hourMs }, 4).map(
        ({ origin }) => (origin / hourMs) % 4,
      ),
    ).toEqual([0, 0])
  })

  test('hold what came before as features and what came after as targets', () => {
    const places = placesOf(tiny, builder, { start, end: start + 11 * hourMs }, 1)
    const complete = buildExamples(tiny, builder, places, 'complete')
    expect([...complete.features]).toEqual([1, 0, 2, 1])
    expect([...complete.targets]).toEqual([2, 3, 4, 3, 4, 5])
    expect(complete.dropped).toEqual({ tooManyMissing: 2, covariateMissing: 0, targetMissing: 3 })
    expect(buildExamples(tiny, builder, places, 'any').rows).toBe(5)
  })

  test('are thinned so that every time of the week and every series keeps its share', () => {
    const week = 7 * 96
    const places = Array.from({ length: 10 * 40 * week }, (_, i) => ({
      series: Math.floor(i / (40 * week)),
      origin: start + (i % (40 * week)) * 900_000,
    }))
    for (const share of [0.69, 0.5, 0.2]) {
      const kept = thinned(places, 900_000, share)
      expect(kept.length / places.length).toBeCloseTo(share, 3)
      const perTime = new Map<number, number>()
      const perSeries = new Map<number, number>()
      for (const { series, origin } of kept) {
        const time = (origin / 900_000) % week
        perTime.set(time, (perTime.get(time) ?? 0) + 1)
        perSeries.set(series, (perSeries.get(series) ?? 0) + 1)
      }
      expect(perTime.size).toBe(week)
      for (const count of perTime.values()) expect(Math.abs(count / 400 - share)).toBeLessThan(0.05)
      for (const count of perSeries.values()) expect(count / (40 * week)).toBeCloseTo(share, 2)
    }
    expect(thinned(places, 900_000, shareFor(10, 20))).toBe(places)
  })
})

describe('the default features', () => {
  const recipe = (intervalMs: number, horizon: number, historySteps: number) =>
    defaultFeatureSpec({ intervalMs, horizon, historySteps, zone: utc, holidays: [] })

  test('stay moderate for quarter hours a day ahead', () => {
    expect(createFeatureBuilder(recipe(900_000, 96, 28 * 96)).count).toBeLessThan(550)
  })

  test('use a week only where the history holds it twice', () => {
    const contextOf = (days: number) => createFeatureBuilder(recipe(900_000, 96, days * 96)).contextLength
    expect([contextOf(28), contextOf(12), contextOf(3)]).toEqual([672, 96, 72])
  })

  test('fit every interval and horizon that is allowed', () => {
    for (const intervalMs of [1_000, 60_000, 300_000, 900_000, 3_600_000, 86_400_000]) {
      for (const horizon of [1, 24, 96]) {
        for (const history of [10, 1_000, 50_000]) {
          const builder = createFeatureBuilder(recipe(intervalMs, horizon, history))
          expect(builder.contextLength).toBeLessThanOrEqual(2_688)
          expect(builder.count).toBeLessThan(700)
        }
      }
    }
  })
})

test('a zone becomes its offsets, to the minute', () => {
  const zone = zoneTransitions('Europe/Berlin', Date.UTC(2024, 0, 1), Date.UTC(2025, 0, 1))
  expect(zone).toEqual([
    { from: Date.UTC(2024, 0, 1), offsetMs: hourMs },
    { from: Date.UTC(2024, 2, 31, 1), offsetMs: 2 * hourMs },
    { from: Date.UTC(2024, 9, 27, 1), offsetMs: hourMs },
  ])
  expect(zoneTransitions('UTC', 0, day)).toEqual([{ from: 0, offsetMs: 0 }])
  expect(() => zoneTransitions('Mars/Olympus', 0, 1)).toThrow('no time zone')
})
