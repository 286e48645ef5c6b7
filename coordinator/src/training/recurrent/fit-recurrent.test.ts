import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createRandom } from '../../tuning/random.ts'
import type { Rows } from '../engine/problem.ts'
import { loadTensorFlow } from '../tensorflow.tfjs.ts'
import { createRecurrentEngine } from './engine.tfjs.ts'
import type { NetworkSizes, RecurrentPasses } from './engine.ts'
import { fitRecurrent, type RecurrentFitOptions } from './fit-recurrent.ts'
import type { Network } from './network.ts'
import { recurrentParametersSchema } from './parameters.ts'
import { createRowPasses } from './row-passes.ts'

const count = 6
const sizes: NetworkSizes = { steps: count, inputs: 1, units: 8, rest: 0, head: 0, horizon: 1 }
const network: Network = {
  count,
  sizes,
  plan: { steps: count, inputs: 1, sequence: [...Array(count).keys()], rest: [] },
  normalisation: {
    levelColumn: null,
    scaleColumn: null,
    levelMask: new Float32Array(count),
    scaleMask: new Float32Array(count),
  },
  means: new Float32Array(count),
  deviations: new Float32Array(count).fill(1),
}

/** Mostly noise: what is learned for long is learned wrongly. */
const rowsOf = (rows: number, seed: number): Rows => {
  const random = createRandom(seed)
  const features = Float32Array.from({ length: rows * count }, () => random.normal())
  const targets = Float32Array.from(
    { length: rows },
    (_, row) => 0.5 * (features[row * count] as number) + random.normal(),
  )
  return { rows, features, targets }
}
const [train, validation] = [rowsOf(200, 1), rowsOf(200, 2)]
const run = { seed: 1, signal: new AbortController().signal }
const options: RecurrentFitOptions = {
  ...recurrentParametersSchema.parse({}),
  dropout: 0,
  batchRows: 50,
  epochsMax: 30,
  learningRate: 2e-2,
}

let passes: RecurrentPasses
let isMissing = true
beforeAll(async () => {
  isMissing = (await loadTensorFlow()) === undefined
  if (!isMissing) passes = await createRecurrentEngine().open(sizes, 'squared')
})
beforeEach((context) => context.skip(isMissing, 'TensorFlow.js is not installed: pnpm install brings it'))

describe('the training of a recurrent network', () => {
  test('gives the weights of its best epoch, which another run ends at without a validation part', async () => {
    const { weights, best, epochs } = await fitRecurrent(passes, network, { train, validation }, options, run)
    expect(best.epoch).toBeGreaterThan(0)
    expect(best.validationLoss).toBe(Math.min(...epochs.map(({ validationLoss }) => validationLoss)))
    expect(epochs.at(-1)?.validationLoss).toBeGreaterThan(best.validationLoss)
    const over = createRowPasses(passes, network, run.signal)
    expect(await over.loss(weights, validation, 'squared')).toBe(best.validationLoss)

    const again = { ...options, stopAfterEpochs: best.epoch }
    expect((await fitRecurrent(passes, network, { train }, again, run)).weights).toEqual(weights)
  })

  test('that leads nowhere is a failure', async () => {
    const targets = train.targets.map((value) => value * 1e30)
    const wild = fitRecurrent(passes, network, { train: { ...train, targets } }, options, run)
    await expect(wild).rejects.toMatchObject({ code: 'DIVERGED' })
  })
})
