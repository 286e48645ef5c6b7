/** What a source says about what came: shown by `/status`, counted by `/metrics`. */

import type { Reject } from './intake/rejects.ts'

export interface SourceFigures {
  readonly samples: number
  /** Readings of intervals that were stored. */
  readonly readings: number
  /** Samples that came a second time. */
  readonly repeated: number
  /** Samples that came after newer ones, and those that came too late to count. */
  readonly late: number
  readonly tooLate: number
  /** Readings sent again because a late or other sample has changed them. */
  readonly corrected: number
  /** Counters that were set back or replaced, and that began again after their highest value. */
  readonly resets: number
  readonly rollovers: number
  readonly series: number
  /** Readings lost because the store took none for too long. */
  readonly lost: number
  /** Inputs that could not be read. */
  readonly malformed: number
  readonly rejects: readonly Reject[]
  /** How often the concentrator, device or file was not there, and the last time. */
  readonly interruptions: number
  readonly interruption: { readonly message: string; readonly at: number } | null
  /** Last sample, in real time; null before the first. */
  readonly lastAt: number | null
}
