/** What the gate is told of two models: their errors row by row on one window, and what is known of them otherwise. */

import type { ErrorSums } from '@imlma/protocol/metrics'
import type { Zone } from '@imlma/protocol/series'

export interface Evaluation {
  /** Null for the seasonal-naive baseline, which stands in where there is no champion yet. */
  readonly version: number | null
  readonly learner: string
  /** Over all forecast values whose actual is known; per meter as well. */
  readonly errors: ErrorSums
  readonly meters: Readonly<Record<string, ErrorSums>>
  /** Per row of the contest: mean over the row's known targets of the squared and of the absolute error. */
  readonly squaredErrors: ArrayLike<number>
  readonly absoluteErrors: ArrayLike<number>
  /** Over every row's meter, origin and actuals, see `rows.crypto.ts`. */
  readonly rowsSha256: string
  /** End (exclusive) of everything the model has seen, UTC epoch ms; null where nothing was learned. */
  readonly trainEnd: number | null
  /** Of the file that would be served; left out where there is none. */
  readonly artifact?: ArtifactFigures
}

export interface ArtifactFigures {
  readonly bytes: number
  readonly millisecondsPerRow: number
  /** Largest relative difference to the trainer's own output; null where it was not recorded. */
  readonly parity: number | null
}

/** The forecasts both were judged on: one row per meter and origin. */
export interface ContestRows {
  readonly meters: readonly string[]
  /** UTC epoch ms. */
  readonly origins: ArrayLike<number>
  /** Mean over the row's known targets. */
  readonly actuals: ArrayLike<number>
}

/** What is to be decided: both were judged on this window, in event time. */
export interface Contest {
  readonly champion: Evaluation
  readonly challenger: Evaluation
  readonly window: { readonly start: number; readonly end: number }
  readonly rows: ContestRows
  readonly intervalMs: number
  /** Steps of a row. */
  readonly horizon: number
  /** Local time, for weekends and times of day; UTC where it is left out. */
  readonly zone?: Zone
  /** Forecasts that need no model, on exactly the same pairs. */
  readonly baselines?: { readonly seasonalNaive: ErrorSums; readonly persistence: ErrorSums }
  /** What the file may cost; not looked at where it is left out. */
  readonly budget?: ArtifactBudget
}

export interface ArtifactBudget {
  readonly bytesMax: number
  readonly millisecondsPerRowMax: number
  readonly parityMax: number
}
