import { describe, expect, test } from 'vitest'
import { createLogImprovement } from './acquisition.ts'
import { observe } from './kernel.ts'
import { createPosterior } from './posterior.ts'
import { createRandom } from './random.ts'
import { createLoss, defaultPriors, fitSurrogate, startingHyper } from './surrogate.ts'
import { applyWarp, bend, createWarp, logJacobian, logSlope } from './warp.ts'

const nominal = Uint8Array.of(0, 0, 1)
const random = createRandom(42)
const points = Array.from({ length: 14 }, () =>
  Float64Array.of(random.uniform(), random.uniform(), random.below(3)),
)
const targets = Float64Array.from(points, ([a, b, c]) => Math.sin(5 * a!) + b! * b! + 0.3 * c!)
const observed = observe(
  points,
  nominal,
  points.map((_, i) => (i < 9 ? 0 : i < 12 ? 1 : 2)),
)
const hyper = Float64Array.of(-0.7, 0.2, 0.4, 0.3, -5, -1.2)

/** Central differences of a function of one vector. */
const differences = (f: (x: Float64Array) => number, x: Float64Array, step: number): readonly number[] =>
  [...x].map((value, i) => (f(x.with(i, value + step)) - f(x.with(i, value - step))) / (2 * step))

describe('the likelihood', () => {
  test('its gradient is that of finite differences, for every hyper-parameter', () => {
    const loss = createLoss(observed, targets, defaultPriors(3))
    const gradient = new Float64Array(6)
    loss(hyper, gradient)
    const expected = differences((x) => loss(x, new Float64Array(6)), hyper, 1e-5)
    for (const [i, slope] of expected.entries()) expect(Math.abs(gradient[i]! - slope)).toBeLessThan(1e-6)
  })

  test('a fit is no worse than where it starts and finds the axis that matters', () => {
    const inert = Float64Array.from(points, ([a]) => Math.sin(8 * a!))
    const start = startingHyper(3, defaultPriors(3))
    const loss = createLoss(observe(points, nominal), inert, defaultPriors(3))
    const fit = fitSurrogate(observe(points, nominal), inert, [start], 60)
    expect(fit.loss).toBeLessThan(loss(start, new Float64Array(6)))
    expect(fit.hyper[0]).toBeLessThan(fit.hyper[1]! - 0.5)
  })
})

describe('the posterior', () => {
  const posterior = createPosterior(observed, targets, hyper)!

  test('meets the observations of this study within the noise', () => {
    for (const [i, point] of points.slice(0, 9).entries()) {
      const { mean, variance } = posterior.at(point, false)
      expect(Math.abs(mean - targets[i]!)).toBeLessThan(0.05)
      expect(variance).toBeLessThan(0.01)
    }
  })

  test('its slopes are those of finite differences', () => {
    const at = Float64Array.of(0.31, 0.62, 1)
    const { meanSlope, varianceSlope } = posterior.at(at, true)
    const [byMean, byVariance] = [meanSlope.slice(), varianceSlope.slice()]
    const means = differences((x) => posterior.at(x, false).mean, at, 1e-6)
    const variances = differences((x) => posterior.at(x, false).variance, at, 1e-6)
    for (const d of [0, 1]) {
      expect(byMean[d]).toBeCloseTo(means[d]!, 6)
      expect(byVariance[d]).toBeCloseTo(variances[d]!, 6)
    }
  })

  test('LogEI climbs along its gradient, in the far tail too', () => {
    for (const incumbent of [1, -2, -40]) {
      const acquisition = createLogImprovement(posterior, incumbent, { posterior, scale: 0.7 })
      const at = Float64Array.of(0.31, 0.62, 1)
      const gradient = new Float64Array(3)
      acquisition(at, gradient)
      const expected = differences((x) => acquisition(x), at, 1e-6)
      for (const d of [0, 1])
        expect(Math.abs(gradient[d]! - expected[d]!)).toBeLessThan(1e-5 * Math.max(1, Math.abs(expected[d]!)))
    }
  })

  test('one more observation is the same as having had it from the start', () => {
    const point = Float64Array.of(0.5, 0.5, 2)
    const grown = posterior.with(point, 0.9)
    const whole = createPosterior(
      observe([...points, point], nominal, [...observed.study, 0]),
      Float64Array.of(...targets, 0.9),
      hyper,
    )!
    for (const at of [Float64Array.of(0.1, 0.9, 0), Float64Array.of(0.52, 0.48, 2)]) {
      const { mean, variance } = { ...grown.at(at, false) }
      expect(mean).toBeCloseTo(whole.at(at, false).mean, 9)
      expect(variance).toBeCloseTo(whole.at(at, false).variance, 9)
    }
  })

  test('another study says less than this one', () => {
    const far = Float64Array.of(0.9, 0.1, 0)
    const none = createPosterior(observe(points.slice(0, 9), nominal), targets.slice(0, 9), hyper)!
    const own = none.with(far, 0)
    const other = createPosterior(
      observe([...points.slice(0, 9), far], nominal, [...points.slice(0, 9).map(() => 0), 1]),
      Float64Array.of(...targets.slice(0, 9), 0),
      hyper,
    )!
    const variance = (from: typeof none) => from.at(far, false).variance
    expect(variance(own)).toBeLessThan(variance(other))
    expect(variance(other)).toBeLessThan(variance(none))
  })

  test('a point observed again and again stays factorable', () => {
    let again = posterior
    for (let i = 0; i < 20; i++) again = again.with(points[0]!, targets[0]!)
    expect(again.at(points[0]!, false).mean).toBeCloseTo(targets[0]!, 2)
  })
})

describe('the warp', () => {
  const values = [-3, -1, 0, 0.5, 2, 9]

  test.each([0, 0.5, 1, 1.5, 2, 3])('power %d keeps the order and its slope is the derivative', (power) => {
    const bent = values.map((value) => bend(value, power))
    expect(bent).toEqual(bent.toSorted((a, b) => a - b))
    for (const value of [-2.5, -0.3, 0.4, 5]) {
      const slope = (bend(value + 1e-6, power) - bend(value - 1e-6, power)) / 2e-6
      expect(logSlope(value, power)).toBeCloseTo(Math.log(slope), 6)
    }
  })

  test('warped values are standardised and their Jacobian is that of the whole map', () => {
    const warp = createWarp(values, 0.5)
    const warped = values.map((value) => applyWarp(warp, value))
    expect(warped.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 10)
    expect(warped.reduce((sum, value) => sum + value * value, 0) / 6).toBeCloseTo(1, 10)
    const slopes = values.map(
      (value) => (applyWarp(warp, value + 1e-6) - applyWarp(warp, value - 1e-6)) / 2e-6,
    )
    expect(logJacobian(warp, values)).toBeCloseTo(
      slopes.reduce((sum, slope) => sum + Math.log(slope), 0),
      4,
    )
  })

  test('equal values do no harm', () => {
    expect(values.map(() => applyWarp(createWarp([7, 7, 7], 2), 7))).toEqual(values.map(() => 0))
  })
})
