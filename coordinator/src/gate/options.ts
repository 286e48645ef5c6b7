/** What the gate asks for, with the reason of every number. */

import { dayMs } from '@imlma/protocol/series'

export interface GateOptions {
  /** Forecast values with a known actual below which nothing is concluded. */
  readonly pairsMin: number
  /** Days with an origin below which nothing is concluded. */
  readonly daysMin: number
  /** One-sided error rate of every test, and of each side of the intervals. */
  readonly level: number
  /** Relative reduction of the MSE below which a change of models is not worth its risk. */
  readonly gainMin: number
  /** Relative increase of the MSE that a slice may show. */
  readonly sliceMargin: number
  /** Rows and days with an origin from which on a slice counts. */
  readonly sliceRowsMin: number
  readonly sliceDaysMin: number
  /** Up to so many meters are slices of their own; more are grouped by level into `meterGroups`. */
  readonly singleMetersMax: number
  readonly meterGroups: number
  /** Of the bootstrap. */
  readonly resamples: number
  readonly blockMs: number
}

export const gateDefaults: GateOptions = {
  // Two days of quarter hours: below that, a single odd day decides.
  pairsMin: 192,
  // Two days drawn again with replacement are mostly the same day.
  daysMin: 3,
  level: 0.05,
  gainMin: 0.01,
  // Noise of a slice: a week's weekend moves by some per cent between two equally good models.
  sliceMargin: 0.1,
  sliceRowsMin: 48,
  sliceDaysMin: 2,
  singleMetersMax: 8,
  meterGroups: 4,
  // A p of 5 % is then known within 0.5 %.
  resamples: 1_999,
  blockMs: dayMs,
}
