/** What the gate is told of a model: its errors on the window, on which rows they were made, and what it was trained on. */

import type { ErrorSums } from '@imlma/protocol/metrics'

export interface Evaluation {
  /** Null for the seasonal-naive baseline, which stands in where there is no champion yet. */
  readonly version: number | null
  readonly learner: string
  /** Over all forecast values whose actual is known. */
  readonly errors: ErrorSums
  /** Forecasts made: one per meter and origin. */
  readonly rows: number
  /** Over every row's meter, origin and actuals, see `rows.crypto.ts`. */
  readonly rowsSha256: string
  /** End (exclusive) of everything the model has seen, UTC epoch ms; null where nothing was learned. */
  readonly trainEnd: number | null
}

/** What is to be decided: both were judged on this window, in event time. */
export interface Contest {
  readonly champion: Evaluation
  readonly challenger: Evaluation
  readonly window: { readonly start: number; readonly end: number }
}
