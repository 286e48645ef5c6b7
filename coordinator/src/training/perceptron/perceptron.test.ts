import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { metricsOf } from '@imlma/protocol/metrics'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRandom } from '../../tuning/random.ts'
import type { Examples } from '../examples.ts'
import type { Graph } from '../graph.ts'
import type { FeatureLayout, LearnerParts, TrainingProgress } from '../learner.ts'
import { encodeModel } from '../model.protobuf.ts'
import { parityOf } from '../parity.ts'
import { createLearnerParts } from '../parts.onnx.ts'
import { ridge } from '../ridge.ts'
import { activationNames } from '../engine/activations.ts'
import { perceptron } from './perceptron.ts'

let parts: LearnerParts
let folder = ''
beforeAll(async () => {
  parts = await createLearnerParts()
  folder = await mkdtemp(join(tmpdir(), 'imlma-perceptron-'))
})
afterAll(() => rm(folder, { recursive: true }))

const horizon = 3
/** A level, a deviation, two lags that follow the level, two plain columns, and one column of each step's own. */
const forecasting: FeatureLayout = {
  count: 9,
  sharedCount: 6,
  stepCount: 1,
  horizon,
  names: [
    'mean of 24',
    'deviation of 24',
    'lag 1',
    'lag 2',
    'weather',
    'hour',
    ...[1, 2, 3].map((step) => `step ${step} weather`),
  ],
  roles: ['level', 'spread', 'level', 'level', 'plain', 'plain', 'plain', 'plain', 'plain'],
}

const examplesOf = (
  { count, horizon: steps }: FeatureLayout,
  rows: number,
  seed: number,
  write: (row: Float32Array, targets: Float32Array, normal: () => number) => void,
): Examples => {
  const random = createRandom(seed)
  const features = new Float32Array(rows * count)
  const targets = new Float32Array(rows * steps)
  for (let i = 0; i < rows; i++)
    write(features.subarray(i * count, (i + 1) * count), targets.subarray(i * steps, (i + 1) * steps), () =>
      random.normal(),
    )
  const dropped = { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 }
  return { rows, features, targets, series: new Uint32Array(rows), origins: new Float64Array(rows), dropped }
}

/** Meters whose size differs a hundredfold; the weather bends the forecast, which no line follows. Noise: 0.1 scales. */
const forecastingExamples = (rows: number, seed: number): Examples =>
  examplesOf(forecasting, rows, seed, (row, targets, normal) => {
    const level = 10 ** (1 + Math.abs(normal()))
    const scale = 0.2 * level
    const [first, second, hour] = [normal(), normal(), normal()]
    row.set([level, scale, level + scale * first, level + scale * second, normal(), hour])
    for (let step = 0; step < horizon; step++) {
      const weather = normal()
      row[6 + step] = weather
      const shape = 0.5 * first + Math.abs(weather) + Math.sin(2 * hour) + 0.1 * normal()
      targets[step] = level + scale * shape
    }
  })

const regression: FeatureLayout = {
  count: 3,
  sharedCount: 3,
  stepCount: 0,
  horizon: 1,
  names: ['current', 'power factor', 'hour'],
  roles: ['plain', 'plain', 'plain'],
}

/** Far from zero on both sides, so that what is not standardised is not learned. */
const regressionExamples = (rows: number, seed: number): Examples =>
  examplesOf(regression, rows, seed, (row, targets, normal) => {
    const [a, b] = [normal(), normal()]
    row.set([1_000 + 50 * a, 0.9 + 0.02 * b, normal()])
    targets[0] = 500 + 40 * a * b + 20 * Math.tanh(2 * a)
  })

const task = {
  builder: forecasting,
  train: forecastingExamples(2_000, 1),
  validation: forecastingExamples(500, 2),
}
const fresh = forecastingExamples(500, 3)
const plain = {
  builder: regression,
  train: regressionExamples(2_000, 1),
  validation: regressionExamples(500, 2),
}
const run = { seed: 1, onProgress: () => undefined, signal: new AbortController().signal }
const quick = { members: 1, width: 32, epochs: 25, batchRows: 64, learningRate: 5e-3 }
const settings = (wishes: object) => perceptron.parametersSchema.parse({ ...quick, ...wishes })

/** The exported file's outputs at one level of graph optimisation. */
const runExported = async (
  graph: Graph,
  { features, rows }: Examples,
  level: NonNullable<InferenceSession.SessionOptions['graphOptimizationLevel']> = 'all',
) => {
  const path = join(folder, `${level}.onnx`)
  await writeFile(path, encodeModel(graph))
  const session = await InferenceSession.create(path, { graphOptimizationLevel: level, intraOpNumThreads: 1 })
  const results = await session.run({
    features: new Tensor('float32', features, [rows, features.length / rows]),
  })
  await session.release()
  return results
}

describe('a perceptron', () => {
  test('on ridge learns what no line follows, for meters of every size', async () => {
    const { validation } = await perceptron.train(parts, task, settings({}), run)
    const line = await ridge.train(parts, task, ridge.parametersSchema.parse({ refit: false }), run)
    expect(metricsOf(validation).mse).toBeLessThan(0.25 * (metricsOf(line.validation).mse ?? 0))
  })

  test('without ridge learns it too', async () => {
    const { validation, parameters } = await perceptron.train(
      parts,
      task,
      settings({ base: 'none', refit: false }),
      run,
    )
    expect(metricsOf(validation).r2).toBeGreaterThan(0.98)
    expect(parameters.epochsKept?.[0]).toBeGreaterThan(5)
  })

  test('does plain regression on columns far from zero', async () => {
    for (const base of ['none', 'ridge'] as const) {
      const { validation } = await perceptron.train(parts, plain, settings({ base, dropout: 0 }), run)
      expect(metricsOf(validation).r2).toBeGreaterThan(0.97)
    }
  })

  test('is exported as it was trained: every optimisation level gives the trainer’s own forecast', async () => {
    const model = await perceptron.train(
      parts,
      task,
      settings({ members: 2, quantiles: [0.1, 0.5, 0.9], epochs: 4 }),
      run,
    )
    const own = await model.forecast(fresh.features, fresh.rows)
    const ownQuantiles = await model.quantiles?.forecast(fresh.features, fresh.rows)
    for (const level of ['disabled', 'basic', 'extended', 'all'] as const) {
      const { forecast, quantiles } = await runExported(model.graph, fresh, level)
      expect(forecast?.dims).toEqual([fresh.rows, horizon])
      expect(quantiles?.dims).toEqual([fresh.rows, 3, horizon])
      expect(parityOf(forecast?.data as Float32Array, own, horizon)).toBeLessThan(1e-5)
      expect(parityOf(quantiles?.data as Float32Array, ownQuantiles as Float32Array, horizon)).toBeLessThan(
        1e-5,
      )
    }
  })

  test.each(activationNames)('with %s is exported as it was trained', async (activation) => {
    const model = await perceptron.train(
      parts,
      plain,
      settings({ activation, epochs: 2, base: 'none', refit: false }),
      run,
    )
    const rows = regressionExamples(200, 5)
    const { forecast } = await runExported(model.graph, rows)
    expect(
      parityOf(forecast?.data as Float32Array, await model.forecast(rows.features, rows.rows), 1),
    ).toBeLessThan(1e-5)
  })

  test('forecasts quantiles that never cross and hold as much as they say', async () => {
    const probabilities = [0.1, 0.5, 0.9]
    const model = await perceptron.train(
      parts,
      task,
      settings({ quantiles: probabilities, refit: false }),
      run,
    )
    const { quantiles } = await runExported(model.graph, fresh)
    const values = quantiles?.data as Float32Array
    const below = [0, 0, 0]
    for (let row = 0; row < fresh.rows; row++) {
      for (let step = 0; step < horizon; step++) {
        const [low, middle, high] = [0, 1, 2].map(
          (q) => values[(row * 3 + q) * horizon + step] as number,
        ) as [number, number, number]
        expect(low <= middle && middle <= high).toBe(true)
        const actual = fresh.targets[row * horizon + step] as number
        ;[low, middle, high].forEach(
          (quantile, q) => (below[q] = (below[q] as number) + (actual < quantile ? 1 : 0)),
        )
      }
    }
    below.forEach((count, q) =>
      expect(Math.abs(count / (fresh.rows * horizon) - (probabilities[q] as number))).toBeLessThan(0.1),
    )
  })

  test('forecasts quantiles that do not cross even when it has learned next to nothing', async () => {
    const wishes = { quantiles: [0.45, 0.5, 0.55], epochs: 1, learningRate: 1e-6, base: 'none', refit: false }
    const model = await perceptron.train(parts, task, settings(wishes), run)
    const values = (await model.quantiles?.forecast(fresh.features, fresh.rows)) as Float32Array
    const crossings = Array.from(values, (value, i) => {
      const isLast = Math.floor(i / horizon) % 3 === 2
      return !isLast && !((values[i + horizon] as number) >= value)
    })
    expect(crossings.filter(Boolean)).toEqual([])
  })

  test('drops nothing when it serves', async () => {
    const { graph } = await perceptron.train(parts, plain, settings({ dropout: 0.4, epochs: 1 }), run)
    expect(graph.nodes.map(({ operator }) => operator)).not.toContain('Dropout')
  })

  test('is the same twice and another with another seed', async () => {
    const bytesOf = async (seed: number) =>
      encodeModel((await perceptron.train(parts, task, settings({ epochs: 3 }), { ...run, seed })).graph)
    const [first, second, other] = [await bytesOf(1), await bytesOf(1), await bytesOf(2)]
    expect(second).toEqual(first)
    expect(other).not.toEqual(first)
  })

  test('reports every epoch on its way to the end', async () => {
    const seen: TrainingProgress[] = []
    const watched = { ...run, onProgress: (progress: TrainingProgress) => void seen.push(progress) }
    await perceptron.train(
      parts,
      task,
      settings({ members: 2, epochs: 3, patience: 3, base: 'none' }),
      watched,
    )
    const fractions = seen.map(({ fraction }) => fraction)
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(seen.filter(({ phase }) => phase === 'train')).toHaveLength(6)
    expect(seen.every(({ loss = 0 }) => Number.isFinite(loss))).toBe(true)
    expect(fractions.at(-1)).toBe(1)
  })

  test('does not say more than a spike in one column allows', async () => {
    const model = await perceptron.train(parts, task, settings({ base: 'none' }), run)
    const spiked = fresh.features.slice()
    for (let row = 0; row < fresh.rows; row++) spiked[row * forecasting.count + 5] = 1e6
    const forecast = await model.forecast(spiked, fresh.rows)
    for (let row = 0; row < fresh.rows; row++) {
      const [level, scale] = spiked.subarray(row * forecasting.count) as unknown as [number, number]
      expect(Math.abs((forecast[row * horizon] as number) - level)).toBeLessThan(20 * scale)
    }
  })

  test('refuses features with missing values', async () => {
    const features = task.train.features.slice()
    features[7] = Number.NaN
    const holed = { ...task, train: { ...task.train, features } }
    await expect(perceptron.train(parts, holed, settings({}), run)).rejects.toMatchObject({
      code: 'BAD_PARAMETERS',
    })
  })
})
