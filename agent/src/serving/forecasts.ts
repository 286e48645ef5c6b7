/** The latest forecast of every meter, for people and programs that ask locally. Older ones are not kept here. */

export interface Forecast {
  readonly model: string
  readonly version: number
  readonly meter: string
  /** UTC epoch milliseconds of the first forecast step. */
  readonly origin: number
  readonly intervalMs: number
  readonly unit: string
  /** One value a step, in `unit`. */
  readonly values: Float32Array
}

export interface Forecasts {
  /** Copies the values. */
  readonly record: (forecast: Forecast) => void
  /** Ordered by model and meter. */
  readonly list: (filter?: ForecastFilter) => readonly Forecast[]
  readonly count: () => number
}

export interface ForecastFilter {
  readonly model?: string | undefined
  readonly meter?: string | undefined
}

interface Options {
  /** Forecasts kept: 16 models for 1,000 meters, each with 96 steps, are 6 MB. */
  readonly forecastsMax?: number
}

export const createForecasts = ({ forecastsMax = 16_000 }: Options = {}): Forecasts => {
  const latest = new Map<string, Forecast>()
  return {
    record: (forecast) => {
      const key = `${forecast.model}/${forecast.meter}`
      const old = latest.get(key)?.values
      const values = old?.length === forecast.values.length ? old : new Float32Array(forecast.values.length)
      values.set(forecast.values)
      // Taken out first, so that the oldest entry of the map is the one that was renewed longest ago.
      latest.delete(key)
      latest.set(key, { ...forecast, values })
      if (latest.size <= forecastsMax) return
      const oldest = latest.keys().next()
      if (oldest.done !== true) latest.delete(oldest.value)
    },
    list: ({ model, meter } = {}) => {
      const chosen = [...latest.entries()].filter(
        ([, forecast]) =>
          (model === undefined || forecast.model === model) &&
          (meter === undefined || forecast.meter === meter),
      )
      return chosen.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, forecast]) => forecast)
    },
    count: () => latest.size,
  }
}
