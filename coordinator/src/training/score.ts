/**
 * From forecasts and what came to what is known of a model: its errors, those of the two forecasts that need no model
 * (the same phase a season ago, the last known value) on the same pairs, and what names every row.
 */
import { seasonalLagOf } from '@imlma/protocol/features'
import { createErrorAccumulator, type ErrorSums } from '@imlma/protocol/metrics'
import { valueAt } from '@imlma/protocol/series'
import type { SnapshotSeries } from '../datasets/snapshot.ts'
import type { Examples } from './examples.ts'
import { createTally, type ForecastErrors } from './tally.ts'

export interface Score extends ForecastErrors {
  /** Sums of `seasonalNaive`. */
  readonly baseline: ErrorSums
  /** On exactly the same pairs. */
  readonly seasonalNaive: ForecastErrors
  readonly persistence: ErrorSums
  /** One row per meter and origin, in the snapshot's order of series and then by time. */
  readonly rows: number
  readonly rowMeters: readonly string[]
  readonly origins: Float64Array
  /** Mean over the row's known targets. */
  readonly actuals: Float32Array
}

export interface ScoreKeeper {
  /** `forecasts` is rows × H. */
  add(series: readonly SnapshotSeries[], examples: Examples, forecasts: ArrayLike<number>): void
  score(): Score
}

export const createScoreKeeper = (horizon: number, baselineSeasonSteps: number): ScoreKeeper => {
  const model = createTally()
  const naive = createTally()
  const persistence = createErrorAccumulator()
  const rowMeters: string[] = []
  const origins: number[] = []
  const actuals: number[] = []

  const addRow = (
    one: SnapshotSeries,
    origin: number,
    examples: Examples,
    forecasts: ArrayLike<number>,
    at: number,
  ): void => {
    let [count, sum] = [0, 0]
    const last = earlierValue(one, origin, 1, 1)
    model.beginRow(one.meter)
    naive.beginRow(one.meter)
    for (let step = 0; step < horizon; step++) {
      const actual = examples.targets[at + step] as number
      if (Number.isNaN(actual)) continue
      model.add(finiteForecast(forecasts[at + step] as number), actual)
      naive.add(earlierValue(one, origin, baselineSeasonSteps, step + 1), actual)
      persistence.add(last, actual)
      count += 1
      sum += actual
    }
    model.endRow()
    naive.endRow()
    rowMeters.push(one.meter)
    origins.push(origin)
    actuals.push(sum / count)
  }

  return {
    add: (series, examples, forecasts) => {
      for (let row = 0; row < examples.rows; row++) {
        const one = series[examples.series[row] as number] as SnapshotSeries
        addRow(one, examples.origins[row] as number, examples, forecasts, row * horizon)
      }
    },
    score: () => {
      const seasonalNaive = naive.result()
      return {
        ...model.result(),
        baseline: seasonalNaive.errors,
        seasonalNaive,
        persistence: persistence.sums(),
        rows: rowMeters.length,
        rowMeters,
        origins: Float64Array.from(origins),
        actuals: Float32Array.from(actuals),
      }
    },
  }
}

/** A model that answers NaN must not gain by it: no number is infinitely wrong, not missing. */
const finiteForecast = (forecast: number): number => (Number.isFinite(forecast) ? forecast : Infinity)

/** The value a season before the target (with a season of one step: the last); a season earlier where missing; at last 0. */
const earlierValue = (series: SnapshotSeries, origin: number, seasonSteps: number, step: number): number => {
  for (let count = 1; count <= 8; count++) {
    const value = valueAt(series, origin - seasonalLagOf(seasonSteps, count, step) * series.intervalMs)
    if (!Number.isNaN(value)) return value
  }
  return 0
}
