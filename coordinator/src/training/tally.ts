/** The errors of one forecaster over many rows: mergeable sums overall and per meter, and the means of every row. */
import { createErrorAccumulator, type ErrorAccumulator, type ErrorSums } from '@imlma/protocol/metrics'

export interface ForecastErrors {
  readonly errors: ErrorSums
  /** By meter, of the meters that have a row. */
  readonly meters: Readonly<Record<string, ErrorSums>>
  /** Per row: mean over the row's known targets of the squared and of the absolute error. */
  readonly squaredErrors: Float32Array
  readonly absoluteErrors: Float32Array
}

export interface Tally {
  beginRow(meter: string): void
  add(forecast: number, actual: number): void
  endRow(): void
  result(): ForecastErrors
}

export const createTally = (): Tally => {
  const overall = createErrorAccumulator()
  const meters = new Map<string, ErrorAccumulator>()
  const squaredErrors: number[] = []
  const absoluteErrors: number[] = []
  let own = createErrorAccumulator()
  let [count, squares, absolutes] = [0, 0, 0]
  return {
    beginRow: (meter) => {
      own = meters.get(meter) ?? createErrorAccumulator()
      meters.set(meter, own)
      count = squares = absolutes = 0
    },
    add: (forecast, actual) => {
      overall.add(forecast, actual)
      own.add(forecast, actual)
      count += 1
      squares += (forecast - actual) ** 2
      absolutes += Math.abs(forecast - actual)
    },
    endRow: () => {
      squaredErrors.push(squares / count)
      absoluteErrors.push(absolutes / count)
    },
    result: () => ({
      errors: overall.sums(),
      meters: Object.fromEntries([...meters].map(([meter, sums]) => [meter, sums.sums()])),
      squaredErrors: Float32Array.from(squaredErrors),
      absoluteErrors: Float32Array.from(absoluteErrors),
    }),
  }
}
