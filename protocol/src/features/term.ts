/**
 * A term of a spec, compiled: how many columns it has, what they are called, how they scale, and how they are
 * written. The frame is what a term may look at; one frame is made per builder and reused for every row.
 */
import type { IntervalSeries } from '../series/index.ts'

/**
 * How a column follows the series: a `level` moves with it and scales with it, a `spread` only scales, and a
 * `plain` column (calendar, covariate) does neither. Learners normalise by this.
 */
export type ColumnRole = 'level' | 'spread' | 'plain'

export interface Frame {
  /** The last values before the origin, oldest first, gaps filled. */
  readonly context: Float32Array
  covariates: readonly IntervalSeries[]
  /** The time that calendar and covariate terms speak of: the origin, or the target of a step. */
  time: number
  /** From 1 on; 0 while shared terms are written. */
  step: number
  /** The local day and time of day at `time`. */
  day: number
  timeOfDayMs: number
  /** Raised by a covariate that is not known. */
  covariateMissing: boolean
}

export interface Term {
  readonly names: readonly string[]
  readonly role: ColumnRole | readonly ColumnRole[]
  /** Writes `names.length` columns from `at` on. */
  write(frame: Frame, target: Float32Array, at: number): void
}
