/**
 * A series of readings at a fixed interval: where it starts, how far apart its values are, and the values.
 * Value `i` belongs to the time `start + i · intervalMs`; NaN is missing. Nothing here changes a series.
 */
export interface IntervalSeries {
  /** UTC epoch milliseconds of the first value. */
  readonly start: number
  readonly intervalMs: number
  readonly values: Float32Array
}

/** Epoch milliseconds at `index`, which may lie outside the series. */
export const timeAt = (series: IntervalSeries, index: number): number =>
  series.start + index * series.intervalMs

/** The first time after the series. */
export const endOf = (series: IntervalSeries): number => timeAt(series, series.values.length)

/** The index of the interval that contains `time`; may lie outside the series. */
export const indexAt = (series: IntervalSeries, time: number): number =>
  Math.floor((time - series.start) / series.intervalMs)

/** The value of the interval that contains `time`; NaN outside the series. */
export const valueAt = (series: IntervalSeries, time: number): number =>
  series.values[indexAt(series, time)] ?? Number.NaN

/** The values with `from ≤ time < to`, as a copy. Times outside the series become missing values. */
export const sliceSeries = (series: IntervalSeries, from: number, to: number): IntervalSeries => {
  const first = Math.ceil((from - series.start) / series.intervalMs)
  const last = Math.ceil((to - series.start) / series.intervalMs)
  const values = new Float32Array(Math.max(0, last - first)).fill(Number.NaN)
  const available = series.values.subarray(Math.max(0, first), Math.max(0, last))
  if (available.length > 0) values.set(available, Math.max(0, -first))
  return { start: timeAt(series, first), intervalMs: series.intervalMs, values }
}
