/**
 * The Gaussian process: how likely are the observations under given hyper-parameters (with the exact gradient), and the
 * hyper-parameters under which they are likeliest together with weak priors. The mean is a constant that is solved for.
 */
import { factorise, inverseOf, invertLower, solveLower, solveUpper } from './cholesky.ts'
import { matern, maternSlope, pairDifferences, type Observed } from './kernel.ts'
import { minimise } from './minimise.ts'

/** Natural logarithms: one length an axis, the signal's variance, the noise's variance, −log of the studies' correlation. */
export type HyperParameters = Float64Array

export interface Fit {
  readonly hyper: HyperParameters
  /** Negative log posterior; lower is better. */
  readonly loss: number
}

export interface Priors {
  /** Log of the length that is expected before anything is seen. */
  readonly lengthCentre: number
  readonly lengthSpread: number
  readonly noiseCentre: number
  readonly noiseSpread: number
}

export const defaultPriors = (axes: number): Priors => ({
  lengthCentre: Math.log(0.5 * Math.sqrt(Math.max(1, axes / 2))),
  lengthSpread: 1.2,
  noiseCentre: Math.log(1e-6),
  noiseSpread: 4,
})

/** Bounds of the logarithms: lengths, signal, noise (its floor keeps matrices factorable), forgetting. */
const bounds = {
  length: [Math.log(0.005), Math.log(50)],
  signal: [Math.log(1e-3), Math.log(1e4)],
  noise: [Math.log(1e-10), Math.log(2)],
  forgetting: [Math.log(0.01), Math.log(5)],
} as const

const boundsOf = (axes: number, side: 0 | 1): Float64Array =>
  Float64Array.from({ length: axes + 3 }, (_, i) =>
    i < axes ? bounds.length[side] : [bounds.signal, bounds.noise, bounds.forgetting][i - axes]![side],
  )

/** Adds ½((x − centre)/spread)² to the loss and its slope to the gradient. */
const gaussianPrior = (
  x: Float64Array,
  at: number,
  centre: number,
  spread: number,
  gradient: Float64Array,
): number => {
  const off = (x[at]! - centre) / spread
  gradient[at] = gradient[at]! + off / spread
  return 0.5 * off * off
}

/** The prior of the constant mean, in standard deviations of the observations. */
const meanVariance = 1

/** Negative log posterior of hyper-parameters, with its gradient; cost about n³ + axes·n². */
export const createLoss = (observed: Observed, targets: Float64Array, priors: Priors) => {
  const { rows: n, axes, study } = observed
  const squares = pairDifferences(observed)
  const pairs = (n * (n - 1)) / 2
  const covariance = new Float64Array(n * n)
  const slopes = new Float64Array(pairs)
  const weights = new Float64Array(axes)
  const several = study.some((one) => one !== study[0])

  return (hyper: Float64Array, gradient: Float64Array): number => {
    const signal = Math.exp(hyper[axes]!)
    const noise = Math.exp(hyper[axes + 1]!)
    const forgetting = Math.exp(hyper[axes + 2]!)
    const kinship = Math.exp(-forgetting)
    for (let d = 0; d < axes; d++) weights[d] = Math.exp(-2 * hyper[d]!)
    for (let i = 0, pair = 0; i < n; i++) {
      covariance[i * n + i] = signal + noise
      for (let j = 0; j < i; j++, pair++) {
        let squared = 0
        for (let d = 0; d < axes; d++) squared += squares[pair * axes + d]! * weights[d]!
        const scale = study[i] === study[j] ? signal : signal * kinship
        covariance[i * n + j] = scale * matern(squared)
        slopes[pair] = scale * maternSlope(squared)
      }
    }
    const factor = factorise(covariance, n)
    if (factor === undefined) return Infinity
    const inverseLower = invertLower(factor, n)
    const inverse = inverseOf(inverseLower, n)

    const { alpha } = weigh(factor, targets, n)
    let loss = 0
    for (let i = 0; i < n; i++) loss += 0.5 * targets[i]! * alpha[i]! + Math.log(factor[i * n + i]!)
    // The constant mean is integrated out: half the log of 1 + v·1ᵀK⁻¹1, with its gradient through K⁻¹1.
    const ones = new Float64Array(n).fill(1)
    solveLower(factor, n, ones)
    solveUpper(factor, n, ones)
    let mass = 1 / meanVariance
    for (let i = 0; i < n; i++) mass += ones[i]!
    loss += 0.5 * Math.log(mass)

    gradient.fill(0)
    let bySignal = 0
    let byNoise = 0
    let byForgetting = 0
    for (let i = 0, pair = 0; i < n; i++) {
      for (let j = 0; j < i; j++, pair++) {
        // d loss / dK for both triangles.
        const pull = inverse[i * n + j]! - alpha[i]! * alpha[j]! - (ones[i]! * ones[j]!) / mass
        const bySlope = pull * slopes[pair]!
        const at = pair * axes
        for (let d = 0; d < axes; d++) gradient[d] = gradient[d]! + bySlope * squares[at + d]!
        const part = pull * covariance[i * n + j]!
        bySignal += part
        if (study[i] !== study[j]) byForgetting -= part
      }
      const pull = inverse[i * n + i]! - alpha[i]! * alpha[i]! - (ones[i]! * ones[i]!) / mass
      bySignal += 0.5 * pull * signal
      byNoise += 0.5 * pull * noise
    }
    for (let d = 0; d < axes; d++) gradient[d] = gradient[d]! * weights[d]!
    gradient[axes] = bySignal
    gradient[axes + 1] = byNoise
    gradient[axes + 2] = several ? byForgetting * forgetting : 0

    for (let d = 0; d < axes; d++)
      loss += gaussianPrior(hyper, d, priors.lengthCentre, priors.lengthSpread, gradient)
    loss += gaussianPrior(hyper, axes, 0, 2, gradient)
    loss += gaussianPrior(hyper, axes + 1, priors.noiseCentre, priors.noiseSpread, gradient)
    loss += gaussianPrior(hyper, axes + 2, Math.log(0.3), 1, gradient)
    return loss
  }
}

/** The constant mean and α = K⁻¹(targets − mean). */
export const weigh = (
  factor: Float64Array,
  targets: Float64Array,
  n: number,
): { readonly mean: number; readonly alpha: Float64Array } => {
  const ones = new Float64Array(n).fill(1)
  const alpha = targets.slice()
  for (const side of [ones, alpha]) {
    solveLower(factor, n, side)
    solveUpper(factor, n, side)
  }
  let mass = 1 / meanVariance
  let sum = 0
  for (let i = 0; i < n; i++) {
    mass += ones[i]!
    sum += alpha[i]!
  }
  const mean = sum / mass
  for (let i = 0; i < n; i++) alpha[i] = alpha[i]! - mean * ones[i]!
  return { mean, alpha }
}

export const startingHyper = (axes: number, priors: Priors): HyperParameters =>
  Float64Array.from({ length: axes + 3 }, (_, i) =>
    i < axes ? priors.lengthCentre : [0, Math.log(1e-4), Math.log(0.3)][i - axes]!,
  )

/** The best of several descents. `targets` are standardised. */
export const fitSurrogate = (
  observed: Observed,
  targets: Float64Array,
  starts: readonly HyperParameters[],
  evaluationsMax: number,
  priors: Priors = defaultPriors(observed.axes),
): Fit => {
  const loss = createLoss(observed, targets, priors)
  const options = {
    low: boundsOf(observed.axes, 0),
    high: boundsOf(observed.axes, 1),
    evaluationsMax,
    gainMin: 1e-4,
  }
  const minima = starts.map((start) => minimise(loss, start, options))
  const best = minima.reduce((a, b) => (b.value < a.value ? b : a))
  return { hyper: best.x, loss: best.value }
}
