/** What a probation needs of whoever forecasts: the champion run beside the challenger, and what both came to. */

import type { Session, SessionIdentity } from './serving.ts'

/** Sums over intervals that a challenger and the champion beside it have both forecast, and over all its forecasts. */
export interface TrialEvidence {
  /** Milliseconds of readings since the first origin that it forecast. */
  readonly eventMs: number
  /** Forecasts of both that met their actual. */
  readonly pairs: number
  readonly challenger: { readonly squared: number; readonly absolute: number }
  readonly champion: { readonly squared: number; readonly absolute: number }
  /** Forecast values of the challenger, and how many of them lie outside the range; the same of the champion. */
  readonly values: number
  readonly outside: number
  readonly championValues: number
  readonly championOutside: number
}

export interface Trial {
  readonly challenger: SessionIdentity
  /** Runs beside the challenger from now on; closed at the end. */
  readonly champion: Session | undefined
  readonly range: { readonly low: number; readonly high: number } | undefined
}

/** Runs a champion beside the challenger that answers in its place. */
export interface Trials {
  /** The listener hears of every interval that closes. Returns how to end it. */
  readonly begin: (trial: Trial, listener: (evidence: TrialEvidence) => void) => () => void
}
