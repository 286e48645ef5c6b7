import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { appendRow, factorise, inverseOf, invertLower, solveLower, solveUpper } from './cholesky.ts'
import { minimise } from './minimise.ts'
import { createRandom } from './random.ts'
import { sobolDimensionsMax, sobolPoints } from './sobol.ts'

/** A positive definite matrix that follows from a seed. */
const matrixOf = (n: number, seed: number): Float64Array => {
  const random = createRandom(seed)
  const b = Float64Array.from({ length: n * n }, () => random.normal())
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n]
    let sum = i === j ? 0.5 : 0
    for (let k = 0; k < n; k++) sum += b[i * n + k]! * b[j * n + k]!
    return sum
  })
}

const sizes = fc.record({ n: fc.integer({ min: 1, max: 12 }), seed: fc.integer({ min: 0, max: 1e6 }) })

describe('Cholesky', () => {
  test('a matrix times the solution is the right side', () => {
    fc.assert(
      fc.property(sizes, ({ n, seed }) => {
        const a = matrixOf(n, seed)
        const b = Float64Array.from({ length: n }, (_, i) => i - 1.5)
        const x = b.slice()
        const factor = factorise(a, n)!
        solveLower(factor, n, x)
        solveUpper(factor, n, x)
        for (let i = 0; i < n; i++) {
          let sum = 0
          for (let k = 0; k < n; k++) sum += a[i * n + k]! * x[k]!
          expect(sum).toBeCloseTo(b[i]!, 6)
        }
      }),
      { seed: 3, numRuns: 50 },
    )
  })

  test('a factor that grows by a row is the factor of the grown matrix', () => {
    fc.assert(
      fc.property(sizes, ({ n, seed }) => {
        const size = n + 1
        const whole = matrixOf(size, seed)
        const small = Float64Array.from(
          { length: n * n },
          (_, at) => whole[Math.floor(at / n) * size + (at % n)]!,
        )
        const grown = appendRow(
          factorise(small, n)!,
          n,
          whole.subarray(n * size, n * size + n),
          whole.at(-1)!,
        )!
        const expected = factorise(whole, size)!
        for (const [at, value] of grown.entries()) expect(value).toBeCloseTo(expected[at]!, 8)
      }),
      { seed: 4, numRuns: 50 },
    )
  })

  test('the inverse times the matrix is one', () => {
    fc.assert(
      fc.property(sizes, ({ n, seed }) => {
        const a = matrixOf(n, seed)
        const inverse = inverseOf(invertLower(factorise(a, n)!, n), n)
        const at = (i: number, j: number) => (i >= j ? inverse[i * n + j]! : inverse[j * n + i]!)
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) {
            let sum = 0
            for (let k = 0; k < n; k++) sum += a[i * n + k]! * at(k, j)
            expect(sum).toBeCloseTo(Number(i === j), 6)
          }
      }),
      { seed: 5, numRuns: 50 },
    )
  })

  test('a matrix that is not positive definite has no factor', () => {
    expect(factorise(Float64Array.of(1, 2, 2, 1), 2)).toBeUndefined()
    expect(factorise(Float64Array.of(Number.NaN), 1)).toBeUndefined()
    expect(appendRow(Float64Array.of(1), 1, Float64Array.of(1), 1)).toBeUndefined()
  })
})

describe('minimise', () => {
  /** Rosenbrock's valley, with its gradient. */
  const valley = (x: Float64Array, gradient: Float64Array) => {
    const [a, b] = [x[0]!, x[1]!]
    gradient[0] = -400 * a * (b - a * a) - 2 * (1 - a)
    gradient[1] = 200 * (b - a * a)
    return 100 * (b - a * a) ** 2 + (1 - a) ** 2
  }

  test('follows a bent valley to its end', () => {
    const options = { low: [-5, -5], high: [5, 5], evaluationsMax: 200, gainMin: 0 }
    const { x, value } = minimise(valley, Float64Array.of(-1.2, 1), options)
    expect(value).toBeLessThan(1e-10)
    expect(x[0]).toBeCloseTo(1, 4)
  })

  test('stops at a bound and goes on along it', () => {
    const options = { low: [-5, -5], high: [0.5, 5], evaluationsMax: 200, gainMin: 0 }
    const { x } = minimise(valley, Float64Array.of(-1.2, 1), options)
    expect(x[0]).toBe(0.5)
    expect(x[1]).toBeCloseTo(0.25, 4)
  })

  test('backs away from what is impossible', () => {
    const wall = (x: Float64Array, gradient: Float64Array) => {
      gradient[0] = 1 / (1 - x[0]!) - 4
      return x[0]! >= 1 ? Infinity : -Math.log(1 - x[0]!) - 4 * x[0]!
    }
    const { x } = minimise(wall, Float64Array.of(0), { low: [0], high: [2], evaluationsMax: 60, gainMin: 0 })
    expect(x[0]).toBeCloseTo(0.75, 5)
  })

  test('keeps to its number of evaluations', () => {
    let evaluations = 0
    const counted = (x: Float64Array, gradient: Float64Array) => {
      evaluations++
      return valley(x, gradient)
    }
    minimise(counted, Float64Array.of(-1.2, 1), { low: [-5, -5], high: [5, 5], evaluationsMax: 9 })
    expect(evaluations).toBe(9)
  })
})

describe('the Sobol sequence', () => {
  test.each([1, 2, 3])('scrambled with seed %d, 64 points fall one into each 64th of every axis', (seed) => {
    const points = sobolPoints(sobolDimensionsMax, seed, 64)
    for (let d = 0; d < sobolDimensionsMax; d++)
      expect(new Set(points.map((point) => Math.floor(point[d]! * 64))).size).toBe(64)
  })

  test('each quarter × quarter of the first two axes gets the same share', () => {
    const cells = new Map<string, number>()
    for (const [a, b] of sobolPoints(2, 9, 64)) {
      const cell = `${Math.floor(a! * 4)} ${Math.floor(b! * 4)}`
      cells.set(cell, (cells.get(cell) ?? 0) + 1)
    }
    expect([...cells.values()]).toEqual(Array.from({ length: 16 }, () => 4))
  })

  test('points are the same whether drawn at once or one by one', () => {
    expect(sobolPoints(5, 7, 8).at(6)).toEqual(sobolPoints(5, 7, 1, 6)[0])
  })

  test('other seeds give other points, strictly inside, beyond the table too', () => {
    const dimensions = sobolDimensionsMax + 3
    expect(sobolPoints(dimensions, 1, 4)).not.toEqual(sobolPoints(dimensions, 2, 4))
    for (const point of sobolPoints(dimensions, 1, 200))
      expect(point.every((at) => at > 0 && at < 1)).toBe(true)
  })
})

describe('randomness', () => {
  test('follows from its purpose', () => {
    const draw = (...purpose: readonly number[]) => {
      const random = createRandom(...purpose)
      return Array.from({ length: 5 }, () => random.uniform())
    }
    expect(draw(1, 2)).toEqual(draw(1, 2))
    expect(draw(1, 2)).not.toEqual(draw(2, 1))
    expect(draw(1)).not.toEqual(draw(1 + 2 ** 32))
  })

  test('normal draws have mean 0 and deviation 1', () => {
    const random = createRandom(5)
    const draws = Array.from({ length: 20_000 }, () => random.normal())
    const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length
    const variance = draws.reduce((sum, value) => sum + value * value, 0) / draws.length
    expect(Math.abs(mean)).toBeLessThan(0.03)
    expect(Math.abs(variance - 1)).toBeLessThan(0.04)
  })
})
