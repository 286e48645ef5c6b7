import { describe, expect, test } from 'vitest'
import { createRandom } from '../../tuning/random.ts'
import { createGraphBuilder } from '../graph.ts'
import { gemm } from '../operators.ts'
import { adamDefaults, adamScalars } from './adam.ts'
import { dense, denseParameters } from './dense.ts'
import { epochGraph } from './epoch-graph.ts'
import { fit, type FitOptions } from './fit.ts'
import { squaredLoss } from './losses.ts'
import { constantParameters, decayMask, initialWeights, parameterCount, parameterOf } from './parameters.ts'
import type { Problem, Rows } from './problem.ts'
import { rateFactor, scheduleNames } from './schedule.ts'
import { createGraphSessions } from './session.onnx.ts'

const sizes = [4, 16, 16, 1]
const network = (dropout = 0): Problem => ({
  name: 'network',
  features: 4,
  targets: 1,
  parameters: denseParameters(sizes),
  loss: (graph, { features, targets }, parameters, phase) => {
    const options = { layers: 3, activation: 'tanh', dropout: phase === 'train' ? dropout : 0 } as const
    return squaredLoss(graph, dense(graph, features, parameters, options), targets)
  },
})

/** A smooth function of four numbers, with noise. */
const rowsOf = (rows: number, seed: number, noise = 0): Rows => {
  const random = createRandom(seed)
  const features = Float32Array.from({ length: rows * 4 }, () => random.normal())
  const targets = Float32Array.from({ length: rows }, (_, i) => {
    const [a, b, c] = features.subarray(4 * i, 4 * i + 3) as unknown as [number, number, number]
    return Math.sin(2 * a) + b * c + noise * random.normal()
  })
  return { rows, features, targets }
}

const sessions = createGraphSessions()
const options: FitOptions = {
  epochsMax: 30,
  batchRows: 64,
  learningRate: 1e-2,
  schedule: 'cosine',
  patienceEpochs: 30,
}
const run = { seed: 1, signal: new AbortController().signal }

describe('a fit', () => {
  test('learns a smooth function', async () => {
    const { best, epochs } = await fit(
      sessions,
      network(),
      { train: rowsOf(2_000, 1), validation: rowsOf(500, 2) },
      { ...options, gradientNormMax: 5, weightDecay: 1e-3 },
      run,
    )
    expect(epochs[0]?.validationLoss).toBeGreaterThan(1)
    expect(best.validationLoss).toBeLessThan(0.06)
  })

  test('gives the same weights for the same seed, with dropout too, and others for another', async () => {
    const weightsOf = async (seed: number) =>
      (
        await fit(
          sessions,
          network(0.2),
          { train: rowsOf(300, 1) },
          { ...options, epochsMax: 3 },
          { ...run, seed },
        )
      ).weights
    const [first, second, other] = [await weightsOf(1), await weightsOf(1), await weightsOf(2)]
    expect(first).toEqual(second)
    expect(first).not.toEqual(other)
  })

  test('ends when the validation part gets no better, with the weights of the best epoch', async () => {
    const noisy = { train: rowsOf(100, 1, 2), validation: rowsOf(200, 2, 2) }
    const settings: FitOptions = {
      ...options,
      epochsMax: 200,
      batchRows: 20,
      patienceEpochs: 5,
      schedule: 'constant',
    }
    const stopped = await fit(sessions, network(), noisy, settings, run)
    expect(stopped.epochs.length - 1).toBe(stopped.best.epoch + 5)
    const repeated = await fit(
      sessions,
      network(),
      { train: noisy.train },
      { ...settings, stopAfterEpochs: stopped.best.epoch },
      run,
    )
    expect(repeated.weights).toEqual(stopped.weights)
  })

  test('says so when it diverges', async () => {
    const wild = { ...options, learningRate: 1e30, schedule: 'constant' as const }
    await expect(fit(sessions, network(), { train: rowsOf(200, 1) }, wild, run)).rejects.toMatchObject({
      code: 'DIVERGED',
    })
  })

  test('stops between epochs when it is cancelled', async () => {
    const cancel = new AbortController()
    const seen: number[] = []
    const running = fit(sessions, network(), { train: rowsOf(200, 1) }, options, {
      seed: 1,
      signal: cancel.signal,
      onEpoch: ({ epoch }) => {
        seen.push(epoch)
        if (epoch === 2) cancel.abort(new Error('enough'))
      },
    })
    await expect(running).rejects.toThrow('enough')
    expect(seen).toEqual([1, 2])
  })

  test('takes fewer rows than a batch', async () => {
    const { epochs } = await fit(
      sessions,
      network(),
      { train: rowsOf(10, 1) },
      { ...options, epochsMax: 2 },
      run,
    )
    expect(epochs).toHaveLength(3)
  })
})

test('clipping and decay change a step exactly as written down', async () => {
  // One weight, loss (w·x − y)² with x = 1, y = −10 at w = 2: the gradient 24 is cut to 3.
  const one: Problem = {
    name: 'one',
    features: 1,
    targets: 1,
    parameters: [{ name: 'w', shape: [1, 1], initial: 'ones', decays: true }],
    loss: (graph, { features, targets }, parameters) =>
      squaredLoss(graph, gemm(graph, [features, parameterOf(parameters, 'w')]), targets),
  }
  const adam = { ...adamDefaults, weightDecay: 0.5, gradientNormMax: 3 }
  const session = await sessions.open(epochGraph(one, 1, adam))
  const list = (...values: number[]) => ({ shape: [values.length], values: Float32Array.from(values) })
  const scalars = adamScalars(1, 0.1, adam)
  const { nextWeights, nextFirst, nextSecond, losses } = await session.run({
    steps: { shape: [], values: BigInt64Array.of(1n) },
    weights: list(2),
    first: list(0),
    second: list(0),
    features: { shape: [1, 1], values: Float32Array.of(1) },
    targets: { shape: [1, 1], values: Float32Array.of(-10) },
    order: { shape: [1, 1], values: Int32Array.of(0) },
    rate: list(scalars.rate),
    firstScale: list(scalars.firstScale),
    secondScale: list(scalars.secondScale),
  })
  await session.close()
  expect(losses?.[0]).toBe(144)
  expect([nextFirst?.[0], nextSecond?.[0]].map(Number)).toEqual([expect.closeTo(3, 5), expect.closeTo(9, 5)])
  // Decay takes 0.1 · 0.5 of 2; the first step of Adam is the rate itself.
  expect(nextWeights?.[0]).toBeCloseTo(2 - 0.1 - 0.1, 5)
})

test('learning rates start, rise and end where their schedule says', () => {
  for (const name of scheduleNames) {
    const factors = Array.from({ length: 101 }, (_, i) => rateFactor(name, i / 100))
    expect(Math.max(...factors)).toBeCloseTo(1, 2)
    expect(Math.min(...factors)).toBeGreaterThan(0)
  }
  expect([rateFactor('cosine', 0), rateFactor('cosine', 1)]).toEqual([0.01, 0.01])
  expect(rateFactor('one-cycle', 0)).toBeCloseTo(0.04, 6)
  expect(rateFactor('one-cycle', 1)).toBeCloseTo(1e-4, 6)
})

test('weights have the deviation of their rule, biases are zero and do not decay', () => {
  const specs = denseParameters([300, 100, 2])
  const weights = initialWeights(specs, createRandom(1))
  const first = weights.subarray(0, 30_000)
  expect(Math.sqrt(first.reduce((total, value) => total + value * value, 0) / 30_000)).toBeCloseTo(
    Math.sqrt(2 / 300),
    3,
  )
  expect(weights.subarray(30_000, 30_100).every((value) => value === 0)).toBe(true)
  expect(decayMask(specs).reduce((total, value) => total + value, 0)).toBe(parameterCount(specs) - 102)
  expect(() => constantParameters(createGraphBuilder('g'), weights.subarray(1), specs)).toThrow(
    'as many weights',
  )
})
