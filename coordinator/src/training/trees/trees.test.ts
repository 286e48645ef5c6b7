import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { metricsOf } from '@imlma/protocol/metrics'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Examples } from '../examples.ts'
import type { FeatureLayout } from '../learner.ts'
import { encodeModel } from '../model.protobuf.ts'
import { createLearnerParts } from '../parts.onnx.ts'
import { trees } from './trees.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-trees-'))
})
afterAll(() => rm(folder, { recursive: true }))

const random = (seed: number) => {
  let state = seed
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}

const examplesOf = (rows: number, features: Float32Array, targets: Float32Array): Examples => ({
  rows,
  features,
  targets,
  series: new Uint32Array(rows),
  origins: new Float64Array(rows),
  dropped: { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 },
})

/** Columns given, one target. */
const plainLayout = (names: readonly string[]): FeatureLayout => ({
  count: names.length,
  sharedCount: names.length,
  stepCount: 0,
  horizon: 1,
  names,
  roles: names.map(() => 'plain'),
})

const horizon = 3
/** Two lags, figures to normalise by, and per step a season's value and the weather. */
const forecastLayout: FeatureLayout = {
  sharedCount: 4,
  stepCount: 2,
  horizon,
  count: 4 + 2 * horizon,
  names: [
    'mean of 24',
    'deviation of 24',
    'lag 1',
    'lag 2',
    ...[1, 2, 3].flatMap((step) => [`step ${step} seasonal 24 × 1`, `step ${step} temperature`]),
  ],
  roles: ['level', 'spread', 'level', 'level', ...[1, 2, 3].flatMap(() => ['level', 'plain'] as const)],
}

/** Meters a thousand times apart; the target is the season's value plus an effect of the weather and of the step. */
const forecastExamples = (rows: number, seed: number): Examples => {
  const next = random(seed)
  const features = new Float32Array(rows * forecastLayout.count)
  const targets = new Float32Array(rows * horizon)
  for (let row = 0; row < rows; row++) {
    const size = 10 ** Math.floor(4 * next())
    const seasons = [1, 2, 3].map(() => size * (3 + next()))
    const weather = [1, 2, 3].map(() => 30 * next())
    features.set(
      [
        3.5 * size,
        size,
        size * (3 + next()),
        size * (3 + next()),
        ...seasons.flatMap((one, i) => [one, weather[i] as number]),
      ],
      row * forecastLayout.count,
    )
    seasons.forEach((one, step) => {
      targets[row * horizon + step] =
        one + size * (step + ((weather[step] as number) > 20 ? 1 : 0) + 0.2 * (next() - 0.5))
    })
  }
  return examplesOf(rows, features, targets)
}

const run = { seed: 1, onProgress: () => undefined, signal: new AbortController().signal }

const train = async (
  builder: FeatureLayout,
  examples: { readonly train: Examples; readonly validation: Examples },
  wishes: object,
  seed = 1,
) => {
  const parts = await createLearnerParts()
  const parameters = trees.parametersSchema.parse({ rounds: 60, learningRate: 0.2, ...wishes })
  return trees.train(parts, { builder, ...examples }, parameters, { ...run, seed })
}

type Trained = Awaited<ReturnType<typeof train>>

let files = 0
/** What ONNX Runtime says, by output. */
const served = async ({ graph }: Trained, features: Float32Array, rows: number) => {
  const path = join(folder, `${(files += 1)}.onnx`)
  await writeFile(path, encodeModel(graph))
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1 })
  const answers = await session.run({
    features: new Tensor('float32', features, [rows, features.length / rows]),
  })
  await session.release()
  return answers
}

/** Every float32 number next to any of these, and what floats can be besides. */
const adversaries = (values: Float32Array): Float32Array => {
  const bits = new Int32Array(values.slice().buffer)
  const near = [-1, 0, 1].flatMap((shift) => [...bits].map((one) => one + shift))
  const odd = Float32Array.of(Number.NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45)
  return Float32Array.of(...new Float32Array(Int32Array.from(near).buffer), ...odd)
}

describe('plain regression', () => {
  /** Neighbouring float32 numbers with targets that alternate: every threshold is a tie to the last bit. */
  const close = new Float32Array(Int32Array.from({ length: 400 }, (_, i) => 0x3f800000 + (i % 40)).buffer)
  const next = random(4)
  const features = Float32Array.from({ length: 800 }, (_, i) =>
    i % 2 === 0 ? (close[i >>> 1] as number) : next() < 0.2 ? Number.NaN : Math.floor(6 * next()),
  )
  const targets = Float32Array.from(
    close,
    (_, row) => (row % 2) * 10 + (Number.isNaN(features[2 * row + 1]) ? 5 : 0) + next(),
  )
  const examples = examplesOf(400, features, targets)
  const layout = plainLayout(['close', 'holes'])

  test('gives the same in ONNX Runtime to the last bit, also next to every threshold and for missing values', async () => {
    const trained = await train(layout, { train: examples, validation: examples }, { rowsMin: 2, l2: 0 })
    const first = adversaries(close.slice(0, 40))
    const second = Float32Array.of(...adversaries(Float32Array.of(0, 1, 2, 3, 4, 5)))
    const grid = Float32Array.from({ length: first.length * second.length * 2 }, (_, i) =>
      i % 2 === 0
        ? (first[Math.floor(i / 2 / second.length)] as number)
        : (second[(i >>> 1) % second.length] as number),
    )
    const rows = first.length * second.length
    const { forecast } = await served(trained, grid, rows)
    expect(forecast?.data).toEqual(trained.forecast(grid, rows))
    expect(metricsOf(trained.validation).r2).toBeGreaterThan(0.95)
    // One row is what a gateway asks for; there the runtime takes another way through the trees.
    for (let row = 0; row < rows; row += 97) {
      const one = grid.slice(2 * row, 2 * row + 2)
      expect((await served(trained, one, 1))['forecast']?.data).toEqual(trained.forecast(one, 1))
    }
  })

  test('is exported also where no tree helps', async () => {
    const flat = examplesOf(400, features, new Float32Array(400).fill(7))
    const trained = await train(layout, { train: flat, validation: flat }, { quantiles: [0.1, 0.9] })
    expect(trained.parameters.trees).toBe(0)
    const { forecast, quantiles } = await served(trained, features, 400)
    expect(new Set(forecast?.data as Float32Array)).toEqual(new Set([7]))
    expect(quantiles?.dims).toEqual([400, 2, 1])
  })

  test('refuses ridge as its base where values are missing', async () => {
    await expect(
      train(layout, { train: examples, validation: examples }, { base: 'ridge' }),
    ).rejects.toMatchObject({
      code: 'BAD_PARAMETERS',
    })
  })

  test('is held monotone in the served model', async () => {
    const trained = await train(
      layout,
      { train: examples, validation: examples },
      { monotone: { close: -1 } },
    )
    const ramp = new Float32Array(80).map((_, i) => (i % 2 === 0 ? (close[i >>> 1] as number) : 3))
    const { forecast } = await served(trained, ramp, 40)
    const answers = Array.from(forecast?.data as Float32Array)
    expect(answers).toEqual(answers.toSorted((a, b) => b - a))
    await expect(
      train(layout, { train: examples, validation: examples }, { monotone: { far: 1 } }),
    ).rejects.toThrow('far')
  })
})

describe('a forecast of several steps', () => {
  const examples = { train: forecastExamples(800, 3), validation: forecastExamples(200, 5) }
  const { features, rows } = examples.validation

  test('learns weather and step from all steps together, for meters of any size', async () => {
    const trained = await train(forecastLayout, examples, {})
    const { forecast } = await served(trained, features, rows)
    expect(forecast?.dims).toEqual([rows, horizon])
    expect(forecast?.data).toEqual(trained.forecast(features, rows))
    const noise = 0.2 / Math.sqrt(12)
    // Relative to the size of each meter.
    const errors = trained.residuals.map(
      (one, i) => one / (features[Math.floor(i / horizon) * forecastLayout.count + 1] as number),
    )
    const rmse = Math.sqrt(errors.reduce((sum, one) => sum + one * one, 0) / errors.length)
    expect(rmse).toBeLessThan(3 * noise)
    expect(trained.residuals).toHaveLength(rows * horizon)
  })

  test.each([
    { normalisation: { level: 'last', scale: 'none' } },
    { normalisation: { level: 'none', scale: 'deviation' }, refit: false },
    { normalisation: { level: 'none', scale: 'none' }, loss: 'huber' },
    { longRowsMax: 1_000, loss: 'absolute' },
  ])('is exported to the bit with $normalisation $loss', async (wishes) => {
    const trained = await train(forecastLayout, examples, wishes)
    const { forecast } = await served(trained, features, rows)
    expect(forecast?.data).toEqual(trained.forecast(features, rows))
  })

  test('may correct a ridge forecast inside the same graph', async () => {
    const alone = await train(forecastLayout, examples, {})
    const trained = await train(forecastLayout, examples, { base: 'ridge', quantiles: [0.5] })
    expect(trained.validation.squaredErrorSum).toBeLessThan(alone.validation.squaredErrorSum)
    const answers = await served(trained, features, rows)
    for (const [name, own] of [
      ['forecast', trained.forecast(features, rows)],
      ['quantiles', trained.quantiles?.forecast(features, rows)],
    ] as const) {
      const theirs = answers[name]?.data as Float32Array
      expect(theirs).toHaveLength(rows * horizon)
      theirs.forEach((one, i) => expect(Math.abs(one / (own?.[i] as number) - 1)).toBeLessThan(1e-5))
    }
  })

  test('has quantiles that never cross and hold their share', async () => {
    const trained = await train(forecastLayout, examples, { quantiles: [0.1, 0.5, 0.9], rowsMin: 40, l2: 0 })
    const { quantiles } = await served(trained, features, rows)
    expect(quantiles?.dims).toEqual([rows, 3, horizon])
    expect(quantiles?.data).toEqual(trained.quantiles?.forecast(features, rows))
    const at = (row: number, quantile: number, step: number): number =>
      quantiles?.data[(row * 3 + quantile) * horizon + step] as number
    const below = [0, 0, 0]
    for (let row = 0; row < rows; row++) {
      for (let step = 0; step < horizon; step++) {
        expect(at(row, 0, step)).toBeLessThanOrEqual(at(row, 1, step))
        expect(at(row, 1, step)).toBeLessThanOrEqual(at(row, 2, step))
        const actual = examples.validation.targets[row * horizon + step] as number
        for (const quantile of [0, 1, 2])
          if (actual < at(row, quantile, step)) below[quantile]! += 1 / (rows * horizon)
      }
    }
    ;[0.1, 0.5, 0.9].forEach((wanted, i) => expect(Math.abs((below[i] as number) - wanted)).toBeLessThan(0.1))
  })

  test('is the same file for the same seed', async () => {
    const [once, twice, other] = await Promise.all(
      [1, 1, 2].map(async (seed) => encodeModel((await train(forecastLayout, examples, {}, seed)).graph)),
    )
    expect(twice).toEqual(once)
    expect(other).not.toEqual(once)
  })

  test('is not monotone in what normalisation mixes', async () => {
    await expect(train(forecastLayout, examples, { monotone: { 'lag 1': 1 } })).rejects.toThrow('normalised')
    const warm = await train(forecastLayout, examples, { monotone: { temperature: 1 } })
    expect(warm.parameters.trees).toBeGreaterThan(0)
  })

  test('ends when it is aborted, and refuses parameters that make no sense', async () => {
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    const parts = await createLearnerParts()
    const training = trees.train(
      parts,
      { builder: forecastLayout, ...examples },
      trees.parametersSchema.parse({}),
      {
        ...run,
        signal: abort.signal,
      },
    )
    await expect(training).rejects.toThrow('enough')
    for (const wrong of [
      { rowShare: 0 },
      { quantiles: [0.9, 0.1] },
      { learningRate: 0 },
      { binsMax: 256 },
      { leavesMax: 1 },
    ])
      expect(trees.parametersSchema.safeParse(wrong).success).toBe(false)
  })
})
