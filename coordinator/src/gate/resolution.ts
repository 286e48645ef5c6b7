/** How finely a contest is looked at in time: the width of a bin, and how many bins hang together. */

import { dayMs } from '@imlma/protocol/series'
import type { Contest } from './evaluation.ts'

export interface Resolution {
  readonly binMs: number
  /** Lags of the Newey-West variance, in bins. */
  readonly bandwidth: number
  /** Of the bootstrap, in bins. */
  readonly blockBins: number
}

const hourMs = 3_600_000

/**
 * Rows whose targets overlap share errors over the horizon, and a day's weather and habits go beyond: the bandwidth is
 * a day more than the overlap, but no more than a quarter of the bins, for a variance of fewer stretches is a guess; or
 * 1.3 √n bins where that is longer, as Lazarus, Lewis, Stock and Watson (2018) recommend for Newey-West tests of the
 * right size; never less than a day. Blocks are a day, and longer by the overlap too.
 */
export const resolutionOf = (
  { intervalMs, horizon, window }: Pick<Contest, 'intervalMs' | 'horizon' | 'window'>,
  blockMs: number,
): Resolution => {
  const binMs = Math.max(hourMs, intervalMs)
  const overlapMs = (horizon - 1) * intervalMs
  const bins = Math.max(0, window.end - window.start - overlapMs) / binMs
  const day = dayMs / binMs
  const linked = Math.min(day + overlapMs / binMs, bins / 4)
  return {
    binMs,
    bandwidth: Math.ceil(Math.max(day, linked, 1.3 * Math.sqrt(bins))),
    blockBins: Math.max(1, Math.round((blockMs + overlapMs) / binMs)),
  }
}
