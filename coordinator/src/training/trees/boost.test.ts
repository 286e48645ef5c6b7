import { describe, expect, test } from 'vitest'
import { binInto, edgesOf } from './bins.ts'
import { boost, type BoostPart, type BoostRules, type Forest } from './boost.ts'
import { leafOf } from './tree.ts'

const plain: BoostRules = {
  loss: { kind: 'squared' },
  rounds: 1,
  learningRate: 1,
  leavesMax: 31,
  depthMax: 8,
  rowsMin: 1,
  l2: 0,
  gainMin: 0,
  rowShare: 1,
  columnShare: 1,
  patience: 10,
  monotone: null,
}

const partOf = (
  columns: readonly (readonly number[])[],
  targets: readonly number[],
  like?: BoostPart,
): BoostPart => {
  const rows = targets.length
  const values = columns.map((column) => Float32Array.from(column))
  const edges = like?.table.edges ?? values.map((column) => edgesOf(column, 255))
  const bins = new Uint8Array(rows * columns.length)
  values.forEach((column, i) => binInto(bins, i * rows, column, edges[i] as Float32Array))
  return { table: { rows, columns: columns.length, bins, edges }, targets: Float64Array.from(targets) }
}

const answer = ({ base, trees }: Forest, ...row: readonly number[]): number =>
  trees.reduce((sum, tree) => sum + (tree.value[leafOf(tree, Float32Array.from(row), 0)] as number), base)

const random = (seed: number) => {
  let state = seed
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}

/** y = 3x + noise, and a second column that says nothing. */
const noisy = (rows: number, seed: number, like?: BoostPart): BoostPart => {
  const next = random(seed)
  const x = Array.from({ length: rows }, next)
  return partOf(
    [x, Array.from({ length: rows }, next)],
    x.map((one) => 3 * one + next() - 0.5),
    like,
  )
}

describe('boosted trees', () => {
  test('divide four rows where a person would', () => {
    const { forest } = boost(partOf([[1, 2, 3, 4]], [10, 10, 20, 24]), null, { ...plain, depthMax: 1 }, 1)
    const [tree] = forest.trees
    expect(forest.base).toBe(16)
    expect([...(tree?.threshold ?? [])]).toEqual([2.5, 0, 0])
    expect([...(tree?.value ?? [])]).toEqual([0, -6, 6])
    expect([answer(forest, 2.5), answer(forest, 2.6)]).toEqual([10, 22])
  })

  test('shrink a leaf by the penalty and by the learning rate', () => {
    const part = partOf([[1, 2, 3, 4]], [10, 10, 20, 24])
    const { forest } = boost(part, null, { ...plain, depthMax: 1, l2: 2, learningRate: 0.5 }, 1)
    // Sum of gradients 12 over two rows and the penalty of two, half of it.
    expect([...(forest.trees[0]?.value ?? [])]).toEqual([0, -1.5, 1.5])
  })

  test('keep to the bounds of rows, leaves, depth and gain', () => {
    const part = noisy(500, 5)
    const leavesOf = (rules: Partial<BoostRules>) =>
      boost(part, null, { ...plain, ...rules }, 1).forest.trees[0]?.column.filter((at) => at < 0).length
    expect(leavesOf({ leavesMax: 7 })).toBe(7)
    expect(leavesOf({ depthMax: 2 })).toBe(4)
    expect(leavesOf({ rowsMin: 200 })).toBe(2)
    expect(leavesOf({ rowsMin: 251 })).toBe(1)
    expect(leavesOf({ gainMin: 1e6 })).toBe(1)
    expect(leavesOf({ leavesMax: 2 })).toBe(2)
  })

  test('have nothing to divide where all targets are alike', () => {
    const { forest } = boost(partOf([[1, 2, 3]], [0.1, 0.1, 0.1]), null, plain, 1)
    expect(forest.trees[0]?.column).toHaveLength(1)
    expect(answer(forest, 2)).toBeCloseTo(0.1, 6)
  })

  test('grow best leaf first', () => {
    // The right half holds most of what can be explained.
    const part = partOf([[1, 2, 3, 4]], [0, 1, 100, 200])
    const { forest } = boost(part, null, { ...plain, leavesMax: 3 }, 1)
    expect([1, 2, 3, 4].map((x) => answer(forest, x))).toEqual([0.5, 0.5, 100, 200])
  })

  test('send missing values to the side where they belong, and learn that missing says something', () => {
    const none = Number.NaN
    const low = boost(partOf([[1, 2, 8, 9, none, none]], [1, 1, 5, 5, 1, 1]), null, plain, 1).forest
    expect([1.5, 8.5, none].map((x) => answer(low, x))).toEqual([1, 5, 1])
    const high = boost(partOf([[1, 2, 8, 9, none, none]], [1, 1, 5, 5, 5, 5]), null, plain, 1).forest
    expect([1.5, 8.5, none].map((x) => answer(high, x))).toEqual([1, 5, 5])
    const telling = boost(partOf([[3, 3, none, none]], [1, 1, 7, 7]), null, plain, 1).forest
    expect([3, 1e30, none].map((x) => answer(telling, x))).toEqual([1, 1, 7])
  })

  test('never fall with a column that they may only rise with, whatever the noise', () => {
    const next = random(9)
    const x = Array.from({ length: 800 }, () => Math.floor(next() * 60))
    const z = Array.from({ length: 800 }, () => Math.floor(next() * 5))
    const y = x.map((one, i) => 0.02 * one * ((z[i] as number) - 1) + 2 * next())
    const rules = { ...plain, rounds: 40, learningRate: 0.3, rowShare: 0.7 }
    const fallsOf = (direction: number, loss: BoostRules['loss']): number => {
      const monotone = direction === 0 ? null : Int8Array.of(direction, 0)
      const { forest } = boost(partOf([x, z], y), null, { ...rules, loss, monotone }, 1)
      let falls = 0
      for (let own = 0; own < 5; own++) {
        for (let at = 1; at < 60; at++) {
          const rise = answer(forest, at, own) - answer(forest, at - 1, own)
          if (direction < 0 ? rise > 1e-12 : rise < -1e-12) falls += 1
        }
      }
      return falls
    }
    for (const loss of [{ kind: 'squared' }, { kind: 'pinball', probability: 0.3 }] as const) {
      expect(fallsOf(0, loss)).toBeGreaterThan(20)
      expect(fallsOf(1, loss)).toBe(0)
      expect(fallsOf(-1, loss)).toBe(0)
    }
  })

  test('do not divide by a column whose wish runs against the data', () => {
    const part = partOf([[1, 2, 3, 4]], [4, 3, 2, 1])
    const leavesWith = (direction: number) =>
      boost(part, null, { ...plain, monotone: Int8Array.of(direction) }, 1).forest.trees[0]?.column.length
    expect([1, -1].map(leavesWith)).toEqual([1, 7])
  })

  test('stop once the validation part gains nothing more, and keep the trees up to its best', () => {
    const part = noisy(300, 5)
    const later = noisy(300, 6, part)
    const { forest, losses, validation } = boost(part, later, { ...plain, rounds: 500, learningRate: 0.3 }, 1)
    const best = losses.indexOf(Math.min(...losses)) + 1
    expect(forest.trees).toHaveLength(best)
    expect(losses).toHaveLength(best + plain.patience)
    const mean = validation.reduce((sum, one, i) => sum + (one - (later.targets[i] as number)) ** 2, 0) / 300
    expect(mean).toBeCloseTo(losses[best - 1] as number, 12)
  })

  test('are the same for the same seed and others for another', () => {
    const rules = { ...plain, rounds: 20, learningRate: 0.2, rowShare: 0.6, columnShare: 0.5 }
    const [once, twice, other] = [1, 1, 2].map((seed) => boost(noisy(300, 5), null, rules, seed).forest)
    expect(twice).toEqual(once)
    expect(other).not.toEqual(once)
  })

  test('know what the training rows get from them, sampled or not', () => {
    const part = noisy(300, 5)
    const { forest, training } = boost(
      part,
      null,
      { ...plain, rounds: 5, rowShare: 0.5, learningRate: 0.3 },
      1,
    )
    const next = random(5)
    const x = Array.from({ length: 300 }, next)
    const rest = Array.from({ length: 300 }, next)
    x.forEach((one, i) =>
      expect(answer(forest, one, rest[i] as number)).toBeCloseTo(training[i] as number, 10),
    )
  })

  test.each([0.1, 0.5, 0.9])('leave a share of %s below with the pinball loss', (probability) => {
    const part = noisy(2_000, 5)
    const rules = { ...plain, rounds: 60, learningRate: 0.2, leavesMax: 6, rowsMin: 100 }
    const { training } = boost(part, null, { ...rules, loss: { kind: 'pinball', probability } }, 1)
    const below = training.filter((forecast, i) => (part.targets[i] as number) < forecast).length / 2_000
    expect(Math.abs(below - probability)).toBeLessThan(0.03)
  })

  test('heed a wild value less with Huber than with squares', () => {
    const x = Array.from({ length: 100 }, (_, i) => i)
    const y = x.map((one) => (one === 50 ? 10_000 : one < 50 ? 0 : 1))
    const rules = { ...plain, rounds: 50, learningRate: 0.2, rowsMin: 10 }
    const awayFrom = (loss: BoostRules['loss']): number =>
      Math.abs(answer(boost(partOf([x], y), null, { ...rules, loss }, 1).forest, 52) - 1)
    expect(awayFrom({ kind: 'squared' })).toBeGreaterThan(100)
    expect(awayFrom({ kind: 'huber', share: 0.9 })).toBeLessThan(1)
  })
})
