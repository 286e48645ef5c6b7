import { beforeAll, describe, expect, test } from 'vitest'
import { createRandom } from '../../tuning/random.ts'
import { createRecurrentEngine } from './engine.tfjs.ts'
import type { NetworkSizes, RecurrentPasses } from './engine.ts'
import { loadTensorFlow } from '../tensorflow.tfjs.ts'
import { networkParameters, type Network } from './network.ts'
import { initialWeights } from '../engine/parameters.ts'
import { createRowPasses, spreadRows } from './row-passes.ts'

const sizes: NetworkSizes = { steps: 12, inputs: 1, units: 8, rest: 1, head: 0, horizon: 2 }
/** Not more than 122 rows. */
const workMax = 122.5 * 12 * 8 * 64
const network: Network = {
  count: 13,
  sizes,
  plan: { steps: 12, inputs: 1, sequence: [...Array(12).keys()], rest: [12] },
  normalisation: {
    levelColumn: null,
    scaleColumn: null,
    levelMask: new Float32Array(13),
    scaleMask: new Float32Array(13),
  },
  means: new Float32Array(13),
  deviations: new Float32Array(13).fill(1),
}
const random = createRandom(1)
const normals = (length: number) => Float32Array.from({ length }, () => random.normal())
const rows = { rows: 300, features: normals(300 * 13), targets: normals(600) }
const weights = initialWeights(networkParameters(sizes), createRandom(2))
const all = spreadRows(300, 300)
const { signal } = new AbortController()
const kept = { share: 0, random }

let passes: RecurrentPasses | undefined
beforeAll(async () => {
  if ((await loadTensorFlow()) !== undefined) passes = await createRecurrentEngine().open(sizes, 'huber')
})
const missing = 'TensorFlow.js is not installed: pnpm install brings it'

/** Counts rows of every pass; says nothing. */
const counting = (seen: number[]): RecurrentPasses => ({
  lossAndGradient: async (_weights, batch) => {
    seen.push(batch.rows)
    return { loss: 1, gradient: new Float32Array(weights.length) }
  },
  forecast: async (_weights, batch) => {
    seen.push(batch.rows)
    return new Float32Array(batch.rows * sizes.horizon)
  },
})

describe('many rows', () => {
  test('go through in passes of bounded work', async () => {
    const seen: number[] = []
    const over = createRowPasses(counting(seen), network, signal, workMax)
    await over.slopes(weights, rows, all, kept)
    await over.answers(weights, rows, all)
    expect(seen).toEqual([122, 122, 56, 122, 122, 56])
  })

  test('have the loss and the slopes of all of them, however they are cut', async (context) => {
    context.skip(passes === undefined, missing)
    const over = createRowPasses(passes as RecurrentPasses, network, signal, workMax)
    const whole = await over.slopes(weights, rows, all, kept)
    const thirds = await Promise.all(
      [0, 100, 200].map((first) => over.slopes(weights, rows, all.subarray(first, first + 100), kept)),
    )
    const mean = whole.gradient.map(
      (_, i) => thirds.reduce((sum, one) => sum + (one.gradient[i] as number), 0) / 3,
    )
    expect(Math.max(...whole.gradient)).toBeGreaterThan(1e-3)
    const gaps = whole.gradient.map((slope, i) => Math.abs(slope - (mean[i] as number)))
    expect(Math.max(...gaps)).toBeLessThan(1e-6)
    expect(await over.loss(weights, rows, 'huber')).toBeCloseTo(whole.loss, 5)
  })

  test('are left between two passes when the training is aborted', async () => {
    const abort = new AbortController()
    const seen: number[] = []
    const quiet = counting(seen)
    const over = createRowPasses(
      {
        ...quiet,
        forecast: (...given) => {
          abort.abort(new Error('enough'))
          return quiet.forecast(...given)
        },
      },
      network,
      abort.signal,
      workMax,
    )
    await expect(over.answers(weights, rows, all)).rejects.toThrow('enough')
    expect(seen).toEqual([122])
  })

  test('of which some are enough are spread evenly', () => {
    expect([...spreadRows(10, 4)]).toEqual([0, 2, 5, 7])
    expect([...spreadRows(3, 4)]).toEqual([0, 1, 2])
  })
})
