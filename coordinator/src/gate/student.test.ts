import { expect, test } from 'vitest'
import { studentCumulative, studentQuantile } from './student.ts'

/** t, degrees of freedom, P(T ≤ t). Source: SciPy 1.x, scipy.stats.t.cdf; the first two by hand. */
const references: readonly (readonly [number, number, number])[] = [
  [1, 1, 0.75],
  [2, 2, 0.5 + 1 / Math.sqrt(6)],
  [0, 9, 0.5],
  [2.5, 4, 0.966616727594006],
  [-1.3, 7, 0.11738391769618862],
  [0.01, 3, 0.503675444293574],
  [12, 5, 0.9999645525374142],
  [1.7, 671, 0.9552028267208283],
  [6, 30, 0.9999993028615617],
]

test.each(references)('P(T ≤ %f) with %i degrees of freedom is %f', (t, freedom, p) => {
  expect(Math.abs(studentCumulative(t, freedom) - p)).toBeLessThan(1e-12)
  expect(Math.abs(studentCumulative(-t, freedom) - (1 - p))).toBeLessThan(1e-12)
})

test('tails keep their digits', () => {
  expect(studentCumulative(-40, 3) / 1.7190340394579253e-5).toBeCloseTo(1, 10)
  expect(studentCumulative(-6, 30) / 6.971384383602382e-7).toBeCloseTo(1, 10)
  expect(studentCumulative(-Infinity, 3)).toBe(0)
  expect(studentCumulative(Infinity, 3)).toBe(1)
  expect(studentCumulative(Number.NaN, 3)).toBeNaN()
})

test.each([
  [0.95, 1, 6.313751514675037],
  [0.95, 5, 2.0150483733330233],
  [0.975, 10, 2.228138851986274],
  [0.95, 671, 1.647127677442096],
  [0.05, 8, -1.859548037530898],
])('the %f quantile with %i degrees of freedom is %f', (p, freedom, t) => {
  expect(studentQuantile(p, freedom)).toBeCloseTo(t, 8)
})
