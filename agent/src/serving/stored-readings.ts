/** The agent's history of readings, as forecasting and monitoring read it. */

import type { IntervalSeries } from '@imlma/protocol/series'
import type { History } from '../history/history.ts'
import type { ForecastHistory } from './feature-rows.ts'

/** Intervals at which a covariate is looked for beside the model's own: weather comes hourly, schedules daily. */
const covariateIntervalsMs = [900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 86_400_000]

/** `read` writes into a window that is reused by the next call of the same length: a thousand meters, no garbage. */
export const toForecastHistory = (history: Pick<History, 'read' | 'series'>): ForecastHistory => {
  const windows = new Map<number, Float32Array>()
  const windowOf = (length: number): Float32Array => {
    const known = windows.get(length)
    if (known !== undefined) return known
    // One length a model: more mean that models came and went.
    if (windows.size >= 32) windows.clear()
    const window = new Float32Array(length)
    windows.set(length, window)
    return window
  }
  return {
    meters: (register, intervalMs) =>
      history
        .series(register, intervalMs)
        .map(({ meter, latestAt }) => ({ meter, end: latestAt + intervalMs })),
    read: (meter, register, intervalMs, from, to) => {
      const values = windowOf((to - from) / intervalMs)
      return { start: from, intervalMs, values: history.read(meter, register, intervalMs, from, to, values) }
    },
    readCovariate: (register, intervalMs, from, to): IntervalSeries => {
      for (const candidateMs of [intervalMs, ...covariateIntervalsMs]) {
        const [series] = history.series(register, candidateMs)
        if (series === undefined) continue
        const start = Math.floor(from / candidateMs) * candidateMs
        const end = Math.ceil(to / candidateMs) * candidateMs
        const values = history.read(series.meter, register, candidateMs, start, end)
        return { start, intervalMs: candidateMs, values }
      }
      return { start: from, intervalMs, values: new Float32Array(0) }
    },
  }
}

/** One stored reading; NaN where there is none. */
export const readOne = (
  history: Pick<History, 'read'>,
  meter: string,
  register: string,
  intervalMs: number,
  at: number,
): number => history.read(meter, register, intervalMs, at, at + intervalMs)[0] ?? Number.NaN
