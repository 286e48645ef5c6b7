import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { choleskyOf, solveLower, solveUpper } from './cholesky.ts'
import { addGrams, addProduct, emptyGram, type GramSums } from './gram.ts'
import { solveRidge, squaredErrorsOf } from './ridge-solve.ts'

/** Sums of random rows, with the constant in front, by the definition. */
const sumsOf = (rows: number, size: number, horizon: number, random: () => number) => {
  const x = Array.from({ length: rows }, () =>
    Array.from({ length: size }, (_, i) => (i === 0 ? 1 : random())),
  )
  const y = Array.from({ length: rows }, () => Array.from({ length: horizon }, random))
  const product = new Float64Array(size * (size + horizon))
  x.forEach((row, r) => {
    const wide = [...row, ...(y[r] ?? [])]
    row.forEach((a, i) =>
      wide.forEach((b, j) => (product[i * wide.length + j] = (product[i * wide.length + j] ?? 0) + a * b)),
    )
  })
  return { x, y, sums: addProduct(emptyGram(size, horizon), product, Float64Array.from(y.flat()), rows) }
}

const randomOf = (seed: number) => {
  let state = seed
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5
}

/** The gradient of error + λ·rows·|w|² by one weight, which must vanish at the solution. */
const gradientAt = (
  sums: GramSums,
  weights: Float64Array,
  lambda: number,
  i: number,
  step: number,
): number => {
  let product = -(sums.moments[i * sums.horizon + step] ?? 0)
  for (let j = 0; j < sums.size; j++)
    product += (sums.gram[i * sums.size + j] ?? 0) * (weights[j * sums.horizon + step] ?? 0)
  return product + (i === 0 ? 0 : lambda * sums.rows * (weights[i * sums.horizon + step] ?? 0))
}

describe('ridge weights', () => {
  test('of shared columns make the gradient vanish', () => {
    const { sums } = sumsOf(40, 6, 3, randomOf(5))
    const weights = solveRidge(sums, { shared: 6, perStep: 0 }, 0.05)
    for (let step = 0; step < 3; step++) {
      for (let i = 0; i < 6; i++)
        expect(Math.abs(gradientAt(sums, weights, 0.05, i, step))).toBeLessThan(1e-10)
    }
  })

  test('per step use the shared and the own columns only, and make their gradients vanish', () => {
    const { sums } = sumsOf(60, 3 + 4 * 2, 4, randomOf(9))
    const weights = solveRidge(sums, { shared: 3, perStep: 2 }, 0.01)
    for (let step = 0; step < 4; step++) {
      for (let i = 0; i < 11; i++) {
        const own = i < 3 || Math.floor((i - 3) / 2) === step
        if (own) expect(Math.abs(gradientAt(sums, weights, 0.01, i, step))).toBeLessThan(1e-10)
        else expect(weights[i * 4 + step]).toBe(0)
      }
    }
  })

  test('have the squared errors that their rows have', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
        const { x, y, sums } = sumsOf(20, 4, 2, randomOf(seed))
        const weights = solveRidge(sums, { shared: 4, perStep: 0 }, 0.1)
        const errors = [0, 1].map((step) =>
          x.reduce(
            (sum, row, r) =>
              sum +
              ((y[r]?.[step] ?? 0) -
                row.reduce((f, value, i) => f + value * (weights[i * 2 + step] ?? 0), 0)) **
                2,
            0,
          ),
        )
        squaredErrorsOf(sums, weights).forEach((error, step) =>
          expect(error).toBeCloseTo(errors[step] ?? 0, 9),
        )
      }),
      { seed: 3, numRuns: 50 },
    )
  })

  test('of two parts added are those of all rows', () => {
    const random = randomOf(77)
    const [a, b] = [sumsOf(15, 4, 2, random), sumsOf(25, 4, 2, random)]
    const added = addGrams(a.sums, b.sums)
    expect(added.rows).toBe(40)
    expect(added.targetSquares[1]).toBeCloseTo(
      [...a.y, ...b.y].reduce((sum, row) => sum + (row[1] ?? 0) ** 2, 0),
      12,
    )
  })
})

test('a Cholesky factor solves its system, and refuses one that is not positive definite', () => {
  const factor = choleskyOf(Float64Array.of(4, 0, 2, 5), 2)
  expect([...factor]).toEqual([2, 0, 1, 2])
  const b = Float64Array.of(8, 9)
  solveLower(factor, 2, b, 1)
  solveUpper(factor, 2, b, 1)
  // [[4, 2], [2, 5]] · [11/8, 5/4] = [8, 9]
  expect([...b]).toEqual([1.375, 1.25])
  expect(() => choleskyOf(Float64Array.of(1, 0, 2, 1), 2)).toThrow('positive definite')
})
