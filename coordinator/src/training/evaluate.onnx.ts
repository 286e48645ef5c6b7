/**
 * How good a model file is on a window: its own features, run through ONNX Runtime as an agent would run it. Gives
 * mergeable error sums overall and per meter, the seasonal-naive baseline on the same pairs, and the paired errors
 * per row that a significance test needs.
 */
import { createFeatureBuilder, seasonalLagOf, type FeatureSpec } from '@imlma/protocol/features'
import { createErrorAccumulator, type ErrorAccumulator, type ErrorSums } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { valueAt } from '@imlma/protocol/series'
import type { SnapshotContent, SnapshotSeries } from '../datasets/snapshot.ts'
import type { TimeRange } from '../datasets/split.ts'
import { buildExamples, placesOf, type DroppedRows } from './examples.ts'
import { openForecastSession } from './session.onnx.ts'

export interface EvaluationTask {
  readonly path: string
  readonly spec: FeatureSpec
  readonly range: TimeRange
  /** Every how many intervals a forecast is made. */
  readonly originStride: number
  /** Season of the baseline, in steps; the spec's own where it is left out. */
  readonly baselineSeasonSteps?: number
}

export interface Evaluation {
  readonly errors: ErrorSums
  /** Seasonal naive on exactly the same pairs. */
  readonly baseline: ErrorSums
  /** By meter, of the series in the snapshot that have a row. */
  readonly meters: Readonly<Record<string, ErrorSums>>
  /** Per row, in the snapshot's order of series and then by time. Two models over one range pair by (meter, origin). */
  readonly rows: number
  readonly rowMeters: readonly string[]
  readonly origins: Float64Array
  /** Mean over the row's known targets of the squared and of the absolute error. */
  readonly squaredErrors: Float32Array
  readonly absoluteErrors: Float32Array
  /** Mean over the row's known targets. */
  readonly actuals: Float32Array
  readonly dropped: DroppedRows
  /** Median over the batched runs, per row. */
  readonly millisecondsPerRow: number
}

/** Rows per run: keeps the memory of a long window flat. */
const batchRows = 1_024

/** Throws `Failure` NO_ROWS, LOAD_FAILED, CONTRACT_MISMATCH. */
export const evaluateModel = async (
  content: Pick<SnapshotContent, 'series' | 'covariates'>,
  task: EvaluationTask,
): Promise<Evaluation> => {
  const builder = createFeatureBuilder(task.spec)
  const { horizon } = builder
  const season = task.baselineSeasonSteps ?? task.spec.seasonSteps
  const places = placesOf(content, builder, task.range, task.originStride)
  const overall = createErrorAccumulator()
  const baseline = createErrorAccumulator()
  const meters = new Map<string, ErrorAccumulator>()
  const rowMeters: string[] = []
  const [origins, squared, absolute, actuals]: [number[], number[], number[], number[]] = [[], [], [], []]
  const dropped: DroppedRows = { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 }
  const durations: number[] = []
  const session = await openForecastSession(task.path)
  try {
    for (let first = 0; first < places.length; first += batchRows) {
      const examples = buildExamples(content, builder, places.slice(first, first + batchRows), 'any')
      for (const key of ['tooManyMissing', 'covariateMissing', 'targetMissing'] as const)
        dropped[key] += examples.dropped[key]
      if (examples.rows === 0) continue
      const started = performance.now()
      const forecasts = await session.run(examples.features, examples.rows)
      durations.push((performance.now() - started) / examples.rows)
      if (forecasts.length !== examples.rows * horizon) {
        throw new Failure('CONTRACT_MISMATCH', `${task.path} forecasts another horizon than ${horizon}`)
      }
      for (let row = 0; row < examples.rows; row++) {
        const series = content.series[examples.series[row] as number] as SnapshotSeries
        const origin = examples.origins[row] as number
        const perMeter = meters.get(series.meter) ?? createErrorAccumulator()
        meters.set(series.meter, perMeter)
        let [count, squares, absolutes, sum] = [0, 0, 0, 0]
        for (let step = 0; step < horizon; step++) {
          const actual = examples.targets[row * horizon + step] as number
          if (Number.isNaN(actual)) continue
          const forecast = forecasts[row * horizon + step] as number
          overall.add(forecast, actual)
          perMeter.add(forecast, actual)
          baseline.add(naiveForecast(series, origin, season, step + 1), actual)
          count += 1
          squares += (forecast - actual) ** 2
          absolutes += Math.abs(forecast - actual)
          sum += actual
        }
        rowMeters.push(series.meter)
        origins.push(origin)
        squared.push(squares / count)
        absolute.push(absolutes / count)
        actuals.push(sum / count)
      }
    }
  } finally {
    await session.close()
  }
  if (rowMeters.length === 0) {
    throw new Failure('NO_ROWS', 'the evaluation window holds no complete row', {
      hint: 'look at the dropped rows: readings or covariates are missing in the window',
    })
  }
  return {
    errors: overall.sums(),
    baseline: baseline.sums(),
    meters: Object.fromEntries([...meters].map(([meter, sums]) => [meter, sums.sums()])),
    rows: rowMeters.length,
    rowMeters,
    origins: Float64Array.from(origins),
    squaredErrors: Float32Array.from(squared),
    absoluteErrors: Float32Array.from(absolute),
    actuals: Float32Array.from(actuals),
    dropped,
    millisecondsPerRow: durations.toSorted((a, b) => a - b)[durations.length >>> 1] ?? 0,
  }
}

/** The value a season before the target; where it is missing a season earlier, and so on; at last 0. */
const naiveForecast = (series: SnapshotSeries, origin: number, seasonSteps: number, step: number): number => {
  for (let count = 1; count <= 8; count++) {
    const value = valueAt(series, origin - seasonalLagOf(seasonSteps, count, step) * series.intervalMs)
    if (!Number.isNaN(value)) return value
  }
  return 0
}

/** Largest |a − b| relative to the largest magnitude of its row: how well the export repeats the trainer. NaN where one is NaN. */
export const parityOf = (
  exported: ArrayLike<number>,
  trained: ArrayLike<number>,
  horizon: number,
): number => {
  let worst = 0
  for (let first = 0; first < trained.length; first += horizon) {
    let scale = 1e-6
    let gap = 0
    for (let i = first; i < first + horizon; i++) {
      const difference = Math.abs((exported[i] as number) - (trained[i] as number))
      if (Number.isNaN(difference)) return Number.NaN
      gap = Math.max(gap, difference)
      scale = Math.max(scale, Math.abs(trained[i] as number))
    }
    worst = Math.max(worst, gap / scale)
  }
  return worst
}
