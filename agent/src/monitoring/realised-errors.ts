/**
 * How good were the forecasts, now that the actuals are there? Forecasts of a few chosen steps wait for their target
 * time; when it closes, each is held against what came, beside what the same time a season earlier would have said.
 *
 * Only whole triples count (forecast, actual, baseline), so that both sums speak of the same pairs. A reading that
 * comes after its interval closed changes nothing here.
 */

/** One forecast that met its actual. */
export interface Realised {
  readonly meter: string
  /** Target time and the steps ahead at which it was forecast. */
  readonly at: number
  readonly step: number
  readonly forecast: number
  readonly actual: number
  /** The latest value at the target's phase of the season that was known at the origin. */
  readonly baseline: number
  /** Lowest and highest quantile of the forecast; undefined where it had none. */
  readonly range?: { readonly low: number; readonly high: number }
}

/** What is kept of one batch of forecasts. */
export interface Expected {
  readonly origin: number
  readonly meters: readonly string[]
  /** rows × horizon */
  readonly values: Float32Array
  /** rows × Q × horizon, ascending in Q. */
  readonly quantiles?: { readonly probabilities: readonly number[]; readonly values: Float32Array }
}

/** A stored reading; NaN where there is none. */
export type ReadActual = (meter: string, at: number) => number

export interface RealisedErrors {
  readonly expect: (expected: Expected) => void
  /** Everything whose target lies before `end` is held against its actual, and forgotten. */
  readonly close: (end: number, read: ReadActual, onRealised: (realised: Realised) => void) => void
  /** Forecast values that wait. */
  readonly waiting: () => number
}

interface Options {
  readonly intervalMs: number
  readonly horizon: number
  /** Steps of a season, for the baseline. */
  readonly seasonSteps: number
  readonly steps: readonly number[]
  /** Values that may wait; beyond, the nearest to their target go. 1,000 meters over a day of quarter hours are 0.1 M. */
  readonly valuesMax?: number
}

interface Waiting {
  readonly at: number
  readonly step: number
  readonly meters: readonly string[]
  readonly values: Float32Array
  /** Lowest and highest quantile of each, where there are at least two. */
  readonly lows: Float32Array | undefined
  readonly highs: Float32Array | undefined
}

export const createRealisedErrors = (options: Options): RealisedErrors => {
  const { intervalMs, horizon, seasonSteps, steps, valuesMax = 500_000 } = options
  let waiting: Waiting[] = []
  let count = 0

  return {
    expect: ({ origin, meters, values, quantiles }) => {
      for (const step of steps) {
        if (step > horizon) continue
        const own = Float32Array.from(meters, (_, row) => values[row * horizon + step - 1] as number)
        const [lows, highs] = rangesOf(quantiles, meters.length, horizon, step)
        waiting.push({ at: origin + (step - 1) * intervalMs, step, meters, values: own, lows, highs })
        count += own.length
      }
      while (count > valuesMax && waiting.length > 1) count -= (waiting.shift() as Waiting).values.length
    },
    close: (end, read, onRealised) => {
      const due = waiting.filter(({ at }) => at < end)
      if (due.length === 0) return
      waiting = waiting.filter(({ at }) => at >= end)
      for (const { at, step, meters, values, lows, highs } of due) {
        count -= values.length
        const season = Math.ceil(step / seasonSteps) * seasonSteps * intervalMs
        for (const [row, meter] of meters.entries()) {
          const forecast = values[row] as number
          const actual = read(meter, at)
          const baseline = read(meter, at - season)
          if (!Number.isFinite(forecast + actual + baseline)) continue
          const low = lows?.[row] ?? Number.NaN
          const high = highs?.[row] ?? Number.NaN
          const range = Number.isFinite(low + high) ? { range: { low, high } } : {}
          onRealised({ meter, at, step, forecast, actual, baseline, ...range })
        }
      }
    },
    waiting: () => count,
  }
}

/** The steps that are watched: the next one, one hour's worth or so, and a day ahead (or the last). */
export const stepsWatched = (intervalMs: number, horizon: number): readonly number[] => [
  ...new Set([1, 4, 86_400_000 / intervalMs].map((step) => Math.min(step, horizon))),
]

/** Lowest and highest quantile of every row at this step; undefined where there are fewer than two. */
const rangesOf = (
  quantiles: Expected['quantiles'],
  rows: number,
  horizon: number,
  step: number,
): readonly [lows: Float32Array | undefined, highs: Float32Array | undefined] => {
  const count = quantiles?.probabilities.length ?? 0
  if (quantiles === undefined || count < 2) return [undefined, undefined]
  const at = (row: number, quantile: number): number =>
    quantiles.values[(row * count + quantile) * horizon + step - 1] as number
  return [
    Float32Array.from({ length: rows }, (_, row) => at(row, 0)),
    Float32Array.from({ length: rows }, (_, row) => at(row, count - 1)),
  ]
}
