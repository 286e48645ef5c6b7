/**
 * From forecasts and what came to what is known of a model: mergeable error sums overall and per meter, the
 * seasonal-naive baseline on the same pairs, and the paired errors per row that a significance test needs.
 */
import { seasonalLagOf } from '@imlma/protocol/features'
import { createErrorAccumulator, type ErrorAccumulator, type ErrorSums } from '@imlma/protocol/metrics'
import { valueAt } from '@imlma/protocol/series'
import type { SnapshotSeries } from '../datasets/snapshot.ts'
import type { Examples } from './examples.ts'

export interface Score {
  readonly errors: ErrorSums
  /** Seasonal naive on exactly the same pairs. */
  readonly baseline: ErrorSums
  /** By meter, of the series in the snapshot that have a row. */
  readonly meters: Readonly<Record<string, ErrorSums>>
  /** One row per meter and origin, in the snapshot's order of series and then by time. */
  readonly rows: number
  readonly rowMeters: readonly string[]
  readonly origins: Float64Array
  /** Mean over the row's known targets of the squared and of the absolute error. */
  readonly squaredErrors: Float32Array
  readonly absoluteErrors: Float32Array
  /** Mean over the row's known targets. */
  readonly actuals: Float32Array
}

export interface ScoreKeeper {
  /** `forecasts` is rows × H. */
  add(series: readonly SnapshotSeries[], examples: Examples, forecasts: ArrayLike<number>): void
  score(): Score
}

export const createScoreKeeper = (horizon: number, baselineSeasonSteps: number): ScoreKeeper => {
  const overall = createErrorAccumulator()
  const baseline = createErrorAccumulator()
  const meters = new Map<string, ErrorAccumulator>()
  const rowMeters: string[] = []
  const origins: number[] = []
  const squaredErrors: number[] = []
  const absoluteErrors: number[] = []
  const actuals: number[] = []

  const accumulatorOf = (meter: string): ErrorAccumulator => {
    const accumulator = meters.get(meter) ?? createErrorAccumulator()
    meters.set(meter, accumulator)
    return accumulator
  }

  const addRow = (
    one: SnapshotSeries,
    origin: number,
    examples: Examples,
    forecasts: ArrayLike<number>,
    at: number,
  ): void => {
    const perMeter = accumulatorOf(one.meter)
    let [count, squares, absolutes, sum] = [0, 0, 0, 0]
    for (let step = 0; step < horizon; step++) {
      const actual = examples.targets[at + step] as number
      if (Number.isNaN(actual)) continue
      const forecast = finiteForecast(forecasts[at + step] as number)
      overall.add(forecast, actual)
      perMeter.add(forecast, actual)
      baseline.add(naiveForecast(one, origin, baselineSeasonSteps, step + 1), actual)
      count += 1
      squares += (forecast - actual) ** 2
      absolutes += Math.abs(forecast - actual)
      sum += actual
    }
    rowMeters.push(one.meter)
    origins.push(origin)
    squaredErrors.push(squares / count)
    absoluteErrors.push(absolutes / count)
    actuals.push(sum / count)
  }

  return {
    add: (series, examples, forecasts) => {
      for (let row = 0; row < examples.rows; row++) {
        const one = series[examples.series[row] as number] as SnapshotSeries
        addRow(one, examples.origins[row] as number, examples, forecasts, row * horizon)
      }
    },
    score: () => ({
      errors: overall.sums(),
      baseline: baseline.sums(),
      meters: Object.fromEntries([...meters].map(([meter, sums]) => [meter, sums.sums()])),
      rows: rowMeters.length,
      rowMeters,
      origins: Float64Array.from(origins),
      squaredErrors: Float32Array.from(squaredErrors),
      absoluteErrors: Float32Array.from(absoluteErrors),
      actuals: Float32Array.from(actuals),
    }),
  }
}

/** A model that answers NaN must not gain by it: no number is infinitely wrong, not missing. */
const finiteForecast = (forecast: number): number => (Number.isFinite(forecast) ? forecast : Infinity)

/** The value a season before the target; where it is missing a season earlier, and so on; at last 0. */
const naiveForecast = (series: SnapshotSeries, origin: number, seasonSteps: number, step: number): number => {
  for (let count = 1; count <= 8; count++) {
    const value = valueAt(series, origin - seasonalLagOf(seasonSteps, count, step) * series.intervalMs)
    if (!Number.isNaN(value)) return value
  }
  return 0
}
