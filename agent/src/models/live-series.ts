/**
 * Do this gateway's meters bring what a new version forecasts? A model of hourly values that is fed quarter hours under the
 * same register forecasts nothing, and one trained on kWh that is fed Wh forecasts nonsense that passes every golden vector.
 *
 * A register that nobody brings is no objection, nor is a unit that nobody named: meters may come later.
 */

import type { Contract } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'

/** What a source of this gateway is configured to bring. */
export interface LiveSeries {
  readonly register: string
  readonly intervalMs: number
  /** null where nobody said. */
  readonly unit: string | null
}

type Forecast = Pick<Contract, 'register' | 'intervalMs' | 'unit'>

/** One series that fits is enough: other sources may bring the same register otherwise, for another model. */
export const checkLiveSeries = (
  { register, intervalMs, unit }: Forecast,
  live: readonly LiveSeries[],
): Result<void, 'CONTRACT_MISMATCH'> => {
  const named = live.filter((series) => series.register === register)
  const fits = (series: LiveSeries): boolean =>
    series.intervalMs === intervalMs && (series.unit === null || series.unit === unit)
  if (named.length === 0 || named.some(fits)) return accept(undefined)
  const brought = [...new Set(named.map((series) => say(series.intervalMs, series.unit)))]
  return refuse(
    'CONTRACT_MISMATCH',
    `the model forecasts ${register} ${say(intervalMs, unit)}; here it comes ${brought.join(', and ')}`.slice(
      0,
      500,
    ),
  )
}

const say = (intervalMs: number, unit: string | null): string =>
  `every ${intervalMs / 1_000} s in ${unit ?? 'no unit that was named'}`
