/** Simulated meters as a feed. */

import { limits } from '@imlma/protocol/limits'
import { dayMs } from '@imlma/protocol/series'
import { toBlockSlots, type Feed } from './feed.ts'
import { createSimulation, type Change } from './simulation.ts'
import type { SourceSeries } from './source.ts'

export interface SimulatedOptions {
  /** Names, or how many of `meter-001`, `meter-002` … */
  readonly meters: readonly string[] | number
  readonly seed?: number
  readonly intervalMs?: number
  readonly register?: string
  readonly historyDays?: number
  /** Event time at which live begins at the first start; the time of that start where it is not given. */
  readonly liveFrom?: number
  /** Adds the site's outside temperature under this register, as a meter of its own called `weather`. */
  readonly temperatureRegister?: string
  readonly changes?: readonly Change[]
}

export const simulatedDefaults = {
  seed: 1,
  intervalMs: 900_000,
  /** Active energy, of the last interval (OBIS, IEC 62056-61). */
  register: '1-0:1.29.0',
  unit: 'kWh',
  historyDays: 28,
} as const

/** `meter-001` … */
export const nameMeters = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `meter-${String(i + 1).padStart(3, '0')}`)

export const createSimulatedFeed = (options: SimulatedOptions): Feed => {
  const { temperatureRegister, changes = [] } = options
  const intervalMs = options.intervalMs ?? simulatedDefaults.intervalMs
  const register = options.register ?? simulatedDefaults.register
  const meters = typeof options.meters === 'number' ? nameMeters(options.meters) : options.meters
  const simulation = createSimulation({ seed: options.seed ?? simulatedDefaults.seed, intervalMs, changes })
  const historyMs = (options.historyDays ?? simulatedDefaults.historyDays) * dayMs
  const weather: SourceSeries[] =
    temperatureRegister === undefined
      ? []
      : [{ meter: 'weather', register: temperatureRegister, intervalMs, unit: '°C' }]
  const series: SourceSeries[] = [
    ...meters.map((meter) => ({ meter, register, intervalMs, unit: simulatedDefaults.unit })),
    ...weather,
  ]
  const slots = toBlockSlots(series.length, limits.valuesPerSeriesMax)
  const onGrid = (time: number) => Math.floor(time / intervalMs) * intervalMs

  return {
    intervalMs,
    series,
    begin: (now) => {
      const liveFrom = onGrid(options.liveFrom ?? now)
      return { liveFrom, next: Math.max(0, onGrid(liveFrom - historyMs)) }
    },
    blocks: function* blocks(from) {
      for (let start = onGrid(from); ; start += slots * intervalMs) {
        yield {
          start,
          values: [
            ...meters.map((meter) => simulation.read(meter, start, slots)),
            ...weather.map(() => simulation.temperature(start, slots)),
          ],
        }
      }
    },
  }
}
