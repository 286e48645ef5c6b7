/**
 * What the surrogate believes about one more point: mean and variance, with gradients for the search. Observations can be
 * added without a new fit, which is how trials that still run count (as if they had turned out as believed).
 */
import { appendRow, factorise, invertLower } from './cholesky.ts'
import { matern, maternSlope, type Observed } from './kernel.ts'
import { weigh, type HyperParameters } from './surrogate.ts'

export interface Belief {
  mean: number
  /** Of the noise-free value. */
  variance: number
  /** By the point; filled only when asked for. */
  readonly meanSlope: Float64Array
  readonly varianceSlope: Float64Array
}

export interface Posterior {
  /** The belief about the noise-free value of the present study; the object is reused by the next call. */
  at(point: Float64Array, withSlopes: boolean): Belief
  /** The posterior after one more observation of the present study. */
  with(point: Float64Array, target: number): Posterior
  readonly noise: number
}

export const createPosterior = (
  observed: Observed,
  targets: Float64Array,
  hyper: HyperParameters,
): Posterior | undefined => {
  const { rows: n, axes } = observed
  const covariance = new Float64Array(n * n)
  const noise = Math.exp(hyper[axes + 1]!)
  const row = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const point = observed.points.subarray(i * axes, (i + 1) * axes)
    covariancesTo(observed, hyper, point, observed.study[i]!, row)
    covariance.set(row.subarray(0, i), i * n)
    covariance[i * n + i] = Math.exp(hyper[axes]!) + noise
  }
  const factor = factorise(covariance, n)
  return factor === undefined ? undefined : fromFactor(observed, targets, hyper, factor)
}

/** Noise-free covariances of a point of a study with every observation. */
const covariancesTo = (
  { points, rows, axes, nominal, study }: Observed,
  hyper: HyperParameters,
  point: Float64Array,
  ofStudy: number,
  into: Float64Array,
): void => {
  const signal = Math.exp(hyper[axes]!)
  const kinship = Math.exp(-Math.exp(hyper[axes + 2]!))
  const weights = hyper.subarray(0, axes).map((length) => Math.exp(-2 * length))
  for (let i = 0; i < rows; i++) {
    let squared = 0
    for (let d = 0; d < axes; d++) {
      const apart = points[i * axes + d]! - point[d]!
      squared += (nominal[d] === 1 ? Number(apart !== 0) : apart * apart) * weights[d]!
    }
    into[i] = (study[i] === ofStudy ? signal : signal * kinship) * matern(squared)
  }
}

const fromFactor = (
  observed: Observed,
  targets: Float64Array,
  hyper: HyperParameters,
  factor: Float64Array,
): Posterior => {
  const { points, rows: n, axes, nominal, study } = observed
  const inverse = invertLower(factor, n)
  const { mean, alpha } = weigh(factor, targets, n)
  const signal = Math.exp(hyper[axes]!)
  const noise = Math.exp(hyper[axes + 1]!)
  const kinship = Math.exp(-Math.exp(hyper[axes + 2]!))
  const weights = Float64Array.from({ length: axes }, (_, d) => Math.exp(-2 * hyper[d]!))
  const near = new Float64Array(n)
  const steep = new Float64Array(n)
  const half = new Float64Array(n)
  const solved = new Float64Array(n)
  const belief: Belief = {
    mean: 0,
    variance: 0,
    meanSlope: new Float64Array(axes),
    varianceSlope: new Float64Array(axes),
  }

  const at = (point: Float64Array, withSlopes: boolean): Belief => {
    let expected = mean
    for (let i = 0; i < n; i++) {
      let squared = 0
      for (let d = 0; d < axes; d++) {
        const apart = point[d]! - points[i * axes + d]!
        squared += (nominal[d] === 1 ? Number(apart !== 0) : apart * apart) * weights[d]!
      }
      const scale = study[i] === 0 ? signal : signal * kinship
      near[i] = scale * matern(squared)
      if (withSlopes) steep[i] = -scale * maternSlope(squared)
      expected += near[i]! * alpha[i]!
    }
    let explained = 0
    for (let i = 0; i < n; i++) {
      let sum = 0
      const row = i * n
      for (let k = 0; k <= i; k++) sum += inverse[row + k]! * near[k]!
      half[i] = sum
      explained += sum * sum
    }
    belief.mean = expected
    belief.variance = Math.max(signal - explained, 1e-12 * signal)
    if (withSlopes) slopesAt(point)
    return belief
  }

  const slopesAt = (point: Float64Array): void => {
    solved.fill(0)
    for (let i = 0; i < n; i++) {
      const row = i * n
      const times = half[i]!
      for (let k = 0; k <= i; k++) solved[k] = solved[k]! + times * inverse[row + k]!
    }
    const { meanSlope, varianceSlope } = belief
    meanSlope.fill(0)
    varianceSlope.fill(0)
    for (let i = 0; i < n; i++) {
      const byMean = steep[i]! * alpha[i]!
      const byVariance = -2 * steep[i]! * solved[i]!
      for (let d = 0; d < axes; d++) {
        if (nominal[d] === 1) continue
        const apart = (point[d]! - points[i * axes + d]!) * weights[d]!
        meanSlope[d] = meanSlope[d]! + byMean * apart
        varianceSlope[d] = varianceSlope[d]! + byVariance * apart
      }
    }
  }

  const withOne = (point: Float64Array, target: number): Posterior => {
    const row = new Float64Array(n)
    covariancesTo(observed, hyper, point, 0, row)
    // A repeated point may leave no pivot without a little more noise.
    const grown =
      appendRow(factor, n, row, signal + noise) ?? appendRow(factor, n, row, signal * (1 + 1e-6) + noise)
    if (grown === undefined) return { at, with: withOne, noise }
    const flat = new Float64Array((n + 1) * axes)
    flat.set(points)
    flat.set(point, n * axes)
    const studies = new Uint16Array(n + 1)
    studies.set(study)
    return fromFactor(
      { points: flat, rows: n + 1, axes, nominal, study: studies },
      Float64Array.from([...targets, target]),
      hyper,
      grown,
    )
  }

  return { at, with: withOne, noise }
}
