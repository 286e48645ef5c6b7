/**
 * How far forecasts are from what was measured, as sums that merge.
 *
 * An agent adds one pair at a time and reports the sums; the coordinator merges the sums of a fleet and gets the
 * same figures as over all pairs at once. The spread of the actuals is kept as mean and centred second moment
 * (Chan, Golub, LeVeque 1983, pairwise update): R² of a load around 5,000 MW would lose its digits in Σy².
 * A pair with a missing side (NaN) is not counted.
 */
import { z } from 'zod'

export const errorSumsSchema = z.object({
  count: z.int().nonnegative(),
  /** Σ (forecast − actual) */
  errorSum: z.number(),
  absoluteErrorSum: z.number().nonnegative(),
  squaredErrorSum: z.number().nonnegative(),
  actualMean: z.number(),
  /** Σ (actual − actualMean)² */
  actualSquaresSum: z.number().nonnegative(),
})

export type ErrorSums = Readonly<z.infer<typeof errorSumsSchema>>

/** What people read. All null while nothing was counted; `r2` also where the actuals do not vary. */
export interface ErrorMetrics {
  readonly count: number
  readonly mse: number | null
  readonly mae: number | null
  readonly rmse: number | null
  /** 1 − squared error / variance of the actuals; below zero when the mean would have been the better forecast. */
  readonly r2: number | null
  /** Mean of forecast − actual: positive when forecasts are too high. */
  readonly bias: number | null
}

export interface ErrorAccumulator {
  add(forecast: number, actual: number): void
  sums(): ErrorSums
}

export const noErrors: ErrorSums = {
  count: 0,
  errorSum: 0,
  absoluteErrorSum: 0,
  squaredErrorSum: 0,
  actualMean: 0,
  actualSquaresSum: 0,
}

export const createErrorAccumulator = (initial: ErrorSums = noErrors): ErrorAccumulator => {
  let { count, errorSum, absoluteErrorSum, squaredErrorSum, actualMean, actualSquaresSum } = initial
  return {
    add: (forecast, actual) => {
      const error = forecast - actual
      if (Number.isNaN(error)) return
      count += 1
      errorSum += error
      absoluteErrorSum += Math.abs(error)
      squaredErrorSum += error * error
      const shift = actual - actualMean
      actualMean += shift / count
      actualSquaresSum += shift * (actual - actualMean)
    },
    sums: () => ({ count, errorSum, absoluteErrorSum, squaredErrorSum, actualMean, actualSquaresSum }),
  }
}

/** Sums over two columns of the same length. */
export const errorSumsOf = (forecasts: ArrayLike<number>, actuals: ArrayLike<number>): ErrorSums => {
  const accumulator = createErrorAccumulator()
  for (let i = 0; i < actuals.length; i++) accumulator.add(forecasts[i] as number, actuals[i] as number)
  return accumulator.sums()
}

/** The sums over both sets of pairs; associative up to rounding. */
export const mergeErrorSums = (a: ErrorSums, b: ErrorSums): ErrorSums => {
  if (a.count === 0) return b
  if (b.count === 0) return a
  const count = a.count + b.count
  const shift = b.actualMean - a.actualMean
  return {
    count,
    errorSum: a.errorSum + b.errorSum,
    absoluteErrorSum: a.absoluteErrorSum + b.absoluteErrorSum,
    squaredErrorSum: a.squaredErrorSum + b.squaredErrorSum,
    actualMean: a.actualMean + (shift * b.count) / count,
    actualSquaresSum: a.actualSquaresSum + b.actualSquaresSum + (shift * shift * a.count * b.count) / count,
  }
}

export const metricsOf = (sums: ErrorSums): ErrorMetrics => {
  const { count } = sums
  if (count === 0) return { count, mse: null, mae: null, rmse: null, r2: null, bias: null }
  const mse = sums.squaredErrorSum / count
  return {
    count,
    mse,
    mae: sums.absoluteErrorSum / count,
    rmse: Math.sqrt(mse),
    r2: actualsVary(sums) ? 1 - sums.squaredErrorSum / sums.actualSquaresSum : null,
    bias: sums.errorSum / count,
  }
}

/**
 * 1 − MSE of the model / MSE of the baseline on the same pairs: 0 is as good as the baseline, 1 perfect, negative
 * worse. Null where the counts differ (not the same pairs) or the baseline makes no error.
 */
export const skillOf = (model: ErrorSums, baseline: ErrorSums): number | null => {
  if (model.count === 0 || model.count !== baseline.count || baseline.squaredErrorSum === 0) return null
  return 1 - model.squaredErrorSum / baseline.squaredErrorSum
}

/** Rounding leaves a trace of variance in equal float32 values: below 1e-12 of the level it is none. */
const actualsVary = ({ count, actualMean, actualSquaresSum }: ErrorSums): boolean =>
  actualSquaresSum > count * actualMean * actualMean * 1e-24 && actualSquaresSum > 0
