/** Contests made of two error functions, for tests. */

import { errorSumsOf, type ErrorSums } from '@imlma/protocol/metrics'
import { createRandom } from '../../tuning/random.ts'
import type { Contest, Evaluation } from '../evaluation.ts'

export const hourMs = 3_600_000

/** A Monday. */
export const windowStart = Date.UTC(2025, 2, 3)

export interface Row {
  readonly meter: number
  /** Hours since the window's start. */
  readonly hour: number
  /** The same independent draw for both models, standard normal. */
  readonly shared: number
  /** Another one for each model. */
  readonly own: number
}

export interface ContestRequest {
  readonly days?: number
  readonly meters?: number
  readonly champion: (row: Row) => number
  readonly challenger: (row: Row) => number
  readonly actual?: (meter: number, hour: number) => number
}

const usualActual = (meter: number, hour: number): number =>
  10 ** meter * (10 + 5 * Math.sin((2 * Math.PI * hour) / 24))

/** Hourly forecasts of one step; meter m is of level 10^(m + 1). Always the same for the same request. */
export const contestOf = (request: ContestRequest): Contest => {
  const { days = 14, meters = 1, actual = usualActual } = request
  const random = createRandom(days, meters)
  const rows = Array.from({ length: meters * days * 24 }, (_, index) => {
    const [meter, hour] = [Math.floor(index / (days * 24)), index % (days * 24)]
    const [shared, one, other] = [random.normal(), random.normal(), random.normal()]
    return { meter, hour, actual: actual(meter, hour), shared, one, other }
  })
  const judged = (version: number, error: (row: Row) => number, own: 'one' | 'other'): Evaluation => {
    const errors = rows.map((row) => error({ ...row, own: row[own] }))
    const sumsOf = (member: (meter: number) => boolean): ErrorSums => {
      const chosen = rows
        .map((row, i) => ({ row, error: errors[i] as number }))
        .filter(({ row }) => member(row.meter))
      return errorSumsOf(
        chosen.map(({ row, error: wrong }) => row.actual + wrong),
        chosen.map(({ row }) => row.actual),
      )
    }
    return {
      version,
      learner: 'ridge',
      errors: sumsOf(() => true),
      meters: Object.fromEntries(
        Array.from({ length: meters }, (_, meter) => [`m-${meter}`, sumsOf((other) => other === meter)]),
      ),
      squaredErrors: errors.map((wrong) => wrong ** 2),
      absoluteErrors: errors.map(Math.abs),
      rowsSha256: 'a'.repeat(64),
      trainEnd: windowStart,
    }
  }
  return {
    champion: judged(1, request.champion, 'one'),
    challenger: judged(2, request.challenger, 'other'),
    window: { start: windowStart, end: windowStart + days * 24 * hourMs },
    rows: {
      meters: rows.map(({ meter }) => `m-${meter}`),
      origins: rows.map(({ hour }) => windowStart + hour * hourMs),
      actuals: rows.map((row) => row.actual),
    },
    intervalMs: hourMs,
    horizon: 1,
  }
}
