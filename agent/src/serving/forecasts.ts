/** The latest forecast of every meter, for people and programs that ask locally. Older ones are not kept here. */

import type { Maker } from './serving.ts'

export interface Forecast {
  readonly model: string
  readonly version: number
  /** Another than the version that serves where that one failed. */
  readonly madeBy: Maker
  readonly meter: string
  /** UTC epoch milliseconds of the first forecast step. */
  readonly origin: number
  readonly intervalMs: number
  readonly unit: string
  /** One value a step, in `unit`. */
  readonly values: Float32Array
  /** Where the model has them and gave numbers: a range that is none never costs the forecast itself. */
  readonly quantiles?: Quantiles
}

export interface Quantiles {
  /** Ascending. */
  readonly probabilities: readonly number[]
  /** Q × H, in the forecast's unit. */
  readonly values: Float32Array
}

export interface ListedForecast extends Forecast {
  /** Since it was recorded. */
  readonly ageMs: number
}

export interface Forecasts {
  /** Copies the values. */
  readonly record: (forecast: Forecast) => void
  /** Ordered by model and meter. */
  readonly list: (filter?: ForecastFilter) => readonly ListedForecast[]
  readonly count: () => number
}

export interface ForecastFilter {
  readonly model?: string | undefined
  readonly meter?: string | undefined
}

interface Parts {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

interface Kept {
  readonly forecast: Forecast
  readonly recordedAt: number
}

interface Options {
  /** Forecasts kept: 16 models for 1,000 meters, each with 96 steps, are 6 MB; three quantiles 18 MB more. */
  readonly forecastsMax?: number
}

export const createForecasts = ({ now }: Parts, { forecastsMax = 16_000 }: Options = {}): Forecasts => {
  const latest = new Map<string, Kept>()
  return {
    record: (forecast) => {
      const key = `${forecast.model}/${forecast.meter}`
      const old = latest.get(key)?.forecast
      const kept: Forecast = {
        ...forecast,
        values: copyInto(old?.values, forecast.values),
        ...(forecast.quantiles !== undefined && {
          quantiles: {
            ...forecast.quantiles,
            values: copyInto(old?.quantiles?.values, forecast.quantiles.values),
          },
        }),
      }
      // Taken out first, so that the oldest entry of the map is the one that was renewed longest ago.
      latest.delete(key)
      latest.set(key, { forecast: kept, recordedAt: now() })
      if (latest.size <= forecastsMax) return
      const oldest = latest.keys().next()
      if (oldest.done !== true) latest.delete(oldest.value)
    },
    list: ({ model, meter } = {}) => {
      const chosen = [...latest.entries()].filter(
        ([, { forecast }]) =>
          (model === undefined || forecast.model === model) &&
          (meter === undefined || forecast.meter === meter),
      )
      const at = now()
      return chosen
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { forecast, recordedAt }]) => ({ ...forecast, ageMs: at - recordedAt }))
    },
    count: () => latest.size,
  }
}

/** In the array of the forecast before where it fits: a thousand meters again and again, no garbage. */
const copyInto = (old: Float32Array | undefined, values: Float32Array): Float32Array => {
  const target = old?.length === values.length ? old : new Float32Array(values.length)
  target.set(values)
  return target
}
