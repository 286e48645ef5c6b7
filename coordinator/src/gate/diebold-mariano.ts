/**
 * Is the challenger's mean loss lower by more than chance? The test of Diebold and Mariano (1995) with the variance of
 * Newey and West (1987), the small-sample factor of Harvey, Leybourne and Newbold (1997) and Student's t.
 *
 *   d̄ = mean loss of the champion − mean loss of the challenger
 *   variance of d̄ = (γ₀ + 2 Σ (1 − k/(L + 1)) γₖ) / n,   k = 1 … L
 *   statistic = d̄ / √variance · √((n + 1 − 2h + h(h − 1)/n) / n),   h = L + 1
 *
 * The deviations of a bin are weighted by its rows (the linearised variance of a ratio), and a bin without rows
 * contributes nothing to a covariance (Parzen 1963): with one row in every bin both are the textbook's.
 */

import { meanLosses, type LossSeries } from './loss-series.ts'
import { studentCumulative, studentQuantile } from './student.ts'

export interface DieboldMariano {
  /** Positive where the challenger is better; ±Infinity where the difference never varies, 0 where there is none. */
  readonly statistic: number
  /** One-sided: chance of such a statistic if the challenger were no better. */
  readonly p: number
  readonly difference: number
  /** Of `difference`, with the small-sample factor; Infinity where there are too few bins for the bandwidth. */
  readonly standardError: number
  /** Bins that hold rows, and lags of the variance in bins. */
  readonly bins: number
  readonly bandwidth: number
  /** Degrees of freedom of Student's t. */
  readonly freedom: number
}

/**
 * The textbook's test on the difference of mean losses. `bandwidth` in bins. `independent` is how many observations the
 * sample is worth, where bins are finer than what is independent of each other; the textbook counts every bin. NaN
 * where a loss is no number.
 */
export const dieboldMariano = (
  series: LossSeries,
  bandwidth: number,
  independent: number = Infinity,
): DieboldMariano => {
  const { counts, champion, challenger } = series
  const means = meanLosses(series)
  const difference = means.champion - means.challenger
  const deviations = counts.map(
    (count, i) => (champion[i] as number) - (challenger[i] as number) - count * difference,
  )
  return studentised(series, difference, deviations, bandwidth, independent)
}

/**
 * The same hypothesis and, near it, the same statistic, but on the scale on which losses vary: `difference` is
 * ln(champion's mean loss) − ln(challenger's), its variance by the delta method.
 *
 * Some days are hard for every model, and a baseline that is five times worse is so by more on those. The plain
 * difference takes that for doubt: a challenger that beats it on every day of a week does not pass. The ratio knows that
 * both losses rise together. Swapping the models still mirrors it.
 */
export const relativeDieboldMariano = (
  series: LossSeries,
  bandwidth: number,
  independent: number = Infinity,
): DieboldMariano => {
  const { counts, champion, challenger } = series
  const means = meanLosses(series)
  // Without any error of one of them there is no ratio; the difference says all.
  if (!(means.champion > 0 && means.challenger > 0)) return dieboldMariano(series, bandwidth, independent)
  const deviations = counts.map(
    (_, i) => (champion[i] as number) / means.champion - (challenger[i] as number) / means.challenger,
  )
  const difference = means.champion === means.challenger ? 0 : Math.log(means.champion / means.challenger)
  return studentised(series, difference, deviations, bandwidth, independent)
}

/** `deviations` are sums over the rows of a bin. */
const studentised = (
  { counts }: LossSeries,
  difference: number,
  deviations: Float64Array,
  bandwidth: number,
  independent: number,
): DieboldMariano => {
  const rows = counts.reduce((sum, count) => sum + count, 0)
  const bins = counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0)
  const lags = Math.max(0, Math.min(Math.round(bandwidth), bins - 1))
  const weighted = deviations.map((deviation) => (deviation * bins) / rows)
  const rawError = Math.sqrt(longRunVariance(weighted, lags, bins) / bins)
  const standardError = rawError / smallSampleFactor(bins, lags + 1)
  const exact = rawError <= 1e-12 * Math.abs(difference)
  const statistic =
    difference === 0 ? 0 : exact ? Math.sign(difference) * Infinity : difference / standardError
  const freedom = Math.min(bins, independent) - 1
  const p = freedom < 1 ? 0.5 : studentCumulative(-statistic, freedom)
  return { statistic, p, difference, standardError, bins, bandwidth: lags, freedom }
}

/** Limits of `difference` that are each passed with a chance of `tail`. */
export const differenceInterval = (
  { difference, standardError, freedom }: DieboldMariano,
  tail: number,
): readonly [number, number] => {
  if (freedom < 1) return [-Infinity, Infinity]
  const reach = studentQuantile(1 - tail, freedom) * standardError
  return [difference - reach, difference + reach]
}

/** Bartlett's weights: never negative, whatever the data. */
export const longRunVariance = (deviations: ArrayLike<number>, lags: number, bins: number): number => {
  let variance = 0
  for (let lag = 0; lag <= lags; lag++) {
    let covariance = 0
    for (let i = lag; i < deviations.length; i++) {
      covariance += (deviations[i] as number) * (deviations[i - lag] as number)
    }
    variance += ((lag === 0 ? 1 : 2) * (1 - lag / (lags + 1)) * covariance) / bins
  }
  return Math.max(0, variance)
}

/** Harvey, Leybourne and Newbold's factor for n observations and a horizon of h; 0 where the horizon fills the sample. */
export const smallSampleFactor = (n: number, h: number): number =>
  Math.sqrt(Math.max(0, (n + 1 - 2 * h + (h * (h - 1)) / n) / n))
