import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createActiveModels } from './active-models.ts'
import { createBatcher } from './batcher.ts'
import type { LoadedModel } from './serving.ts'
import { tinyContract } from './testing/tiny-contract.ts'

/** Answers twice each feature and remembers how many rows each run had. */
const doubling = (version: number, runs: number[]): LoadedModel => ({
  model: 'load',
  version,
  sha256: 'a'.repeat(64),
  contract: tinyContract({ features: 2, horizon: 2 }),
  run: async (features, rows) => {
    runs.push(rows)
    await turn()
    if (features.includes(-1)) throw new Error('a negative load')
    return features.slice(0, rows * 2).map((value) => value * 2)
  },
  close: async () => undefined,
})

const create = (options = {}) => {
  const runs: number[] = []
  const models = createActiveModels({ load: () => Promise.reject(new Error('unused')), now: () => 0 })
  models.activate(doubling(1, runs))
  const batcher = createBatcher(
    { models, now: () => 0, defer: (callback) => void setImmediate(callback) },
    options,
  )
  return { runs, models, batcher }
}

describe('batcher', () => {
  test('answers what arrives in one turn by one run, each with its own rows', async () => {
    const { runs, batcher } = create()
    const answers = await Promise.all([
      batcher.infer('load', Float32Array.of(1, 2), 1),
      batcher.infer('load', Float32Array.of(3, 4, 5, 6), 2),
      batcher.infer('load', Float32Array.of(7, 8), 1),
    ])
    expect(runs).toEqual([4])
    expect(answers.map((answer) => answer.ok && [...answer.value.values])).toEqual([
      [2, 4],
      [6, 8, 10, 12],
      [14, 16],
    ])
  })

  test('a full batch makes room for the next one', async () => {
    const { runs, batcher } = create({ rowsPerRunMax: 2 })
    const answers = Array.from({ length: 5 }, (_, i) => batcher.infer('load', Float32Array.of(i, i), 1))
    expect((await Promise.all(answers)).map((answer) => answer.ok && answer.value.values[0])).toEqual([
      0, 2, 4, 6, 8,
    ])
    expect(runs).toEqual([2, 2, 1])
  })

  test('a request made before a swap is answered by the version it was made for', async () => {
    const { runs, models, batcher } = create()
    const before = batcher.infer('load', Float32Array.of(1, 1), 1)
    models.activate(doubling(2, runs))
    expect(await before).toMatchObject({ ok: true, value: { version: 1 } })
    expect(await batcher.infer('load', Float32Array.of(1, 1), 1)).toMatchObject({ value: { version: 2 } })
  })

  test('refuses rows of another width, an unknown model, and too many rows', async () => {
    const { batcher } = create({ rowsPerRunMax: 2, rowsWaitingMax: 2 })
    const codes = await Promise.all([
      batcher.infer('load', Float32Array.of(1, 2, 3), 1),
      batcher.infer('other', Float32Array.of(1, 2), 1),
      batcher.infer('load', new Float32Array(6), 3),
      batcher.infer('load', new Float32Array(4), 2),
      batcher.infer('load', new Float32Array(2), 1),
    ])
    expect(codes.map((code) => (code.ok ? 'answered' : code.refusal.code))).toEqual([
      'MALFORMED',
      'MODEL_NOT_FOUND',
      'MALFORMED',
      'answered',
      'OVERLOADED',
    ])
    expect((await batcher.infer('load', new Float32Array(2), 1)).ok).toBe(true)
  })

  test('a failed run is said to everyone in it and spoils no later one', async () => {
    const { batcher } = create()
    const failed = await Promise.all([
      batcher.infer('load', Float32Array.of(1, 1), 1),
      batcher.infer('load', Float32Array.of(-1, 1), 1),
    ])
    expect(failed.map((answer) => answer.ok)).toEqual([false, false])
    expect((await batcher.infer('load', Float32Array.of(1, 1), 1)).ok).toBe(true)
  })
})

test('each request gets the quantiles of its own rows', async () => {
  const models = createActiveModels({ load: () => Promise.reject(new Error('unused')), now: () => 0 })
  const answers: LoadedModel['run'] = async (features, rows, _into, quantilesInto) => {
    // Two quantiles of two steps around each forecast.
    features.slice(0, rows * 2).forEach((value, i) => {
      const at = Math.floor(i / 2) * 4 + (i % 2)
      quantilesInto?.set([value - 1], at)
      quantilesInto?.set([value + 1], at + 2)
    })
    return features.slice(0, rows * 2)
  }
  models.activate({
    ...doubling(1, []),
    contract: tinyContract({ features: 2, horizon: 2, quantiles: [0.1, 0.9] }),
    run: answers,
  })
  const batcher = createBatcher({ models, now: () => 0, defer: (callback) => void setImmediate(callback) })
  const [one, two] = await Promise.all([
    batcher.infer('load', Float32Array.of(1, 2), 1),
    batcher.infer('load', Float32Array.of(3, 4, 5, 6), 2),
  ])
  expect(one.ok && [...(one.value.quantiles ?? [])]).toEqual([0, 1, 2, 3])
  expect(two.ok && [...(two.value.quantiles ?? [])]).toEqual([2, 3, 4, 5, 4, 5, 6, 7])
})

describe('under load', () => {
  /** A model whose runs end when the test says so, and a clock that the test moves. */
  const createHeld = (options = {}) => {
    const runs: number[] = []
    const ends: (() => void)[] = []
    let at = 0
    const models = createActiveModels({ load: () => Promise.reject(new Error('unused')), now: () => 0 })
    models.activate({
      ...doubling(1, []),
      run: async (features, rows) => {
        runs.push(rows)
        await new Promise<void>((resolve) => ends.push(resolve))
        return features.slice(0, rows * 2)
      },
    })
    const defer = (callback: () => void) => void setImmediate(callback)
    const batcher = createBatcher({ models, defer, now: () => at }, options)
    const endRun = async (afterMs: number): Promise<void> => {
      at += afterMs
      ends.shift()?.()
      await turn()
      await turn()
    }
    return { runs, batcher, endRun, one: () => batcher.infer('load', Float32Array.of(1, 2), 1) }
  }

  test('a lone request runs at the end of its turn', async () => {
    const { runs, one } = createHeld()
    void one()
    expect(runs).toEqual([])
    await turn()
    expect(runs).toEqual([1])
  })

  test('what arrives during a run gathers until it ends, and goes together', async () => {
    const { runs, one, endRun } = createHeld()
    void one()
    await turn()
    const others = [one(), one()]
    await turn()
    others.push(one())
    await turn()
    expect(runs).toEqual([1])
    await endRun(1)
    expect(runs).toEqual([1, 3])
    await endRun(1)
    expect((await Promise.all(others)).every((answer) => answer.ok)).toBe(true)
  })

  test('beyond the bound on requests one more is refused, and admitted again when there is room', async () => {
    const { batcher, one, endRun } = createHeld({ requestsWaitingMax: 2 })
    void one()
    void one()
    expect(batcher.admit('load')).toMatchObject({ ok: false, refusal: { code: 'OVERLOADED' } })
    expect(await one()).toMatchObject({ ok: false, refusal: { code: 'OVERLOADED' } })
    await turn()
    await endRun(1)
    expect(batcher.admit('load').ok).toBe(true)
  })

  test('a slow model has a short queue, and is asked whenever nobody waits', async () => {
    const { batcher, one, endRun } = createHeld({ waitMsMax: 100, rowsPerRunMax: 1 })
    void one()
    await turn()
    await endRun(1_000)
    expect(batcher.admit('load').ok).toBe(true)
    void one()
    await turn()
    expect(batcher.admit('load').ok).toBe(true)
    void one()
    expect(batcher.admit('load').ok).toBe(false)
  })
})
