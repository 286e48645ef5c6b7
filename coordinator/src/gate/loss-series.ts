/**
 * From paired losses of many meters at overlapping origins to one series in time, which is what a test for dependent
 * data can judge.
 *
 * Forecasts of different meters for the same hours are wrong together, so a thousand meters at one origin are hardly
 * more evidence than one: they are pooled per moment, and only time counts as sample size. Origins may be thinned and
 * therefore lie unevenly; they are gathered into bins of an hour (or of the interval, where it is longer), so that a lag
 * of so many bins is always the same time. A bin keeps sums and counts instead of a mean: the mean over all bins is
 * then exactly the difference of the two models' losses over all rows, whatever the bins hold.
 */

import { dayMs } from '@imlma/protocol/series'

export interface LossSeries {
  /** Width of a bin in ms; bins follow each other without gaps from the first to the last origin. */
  readonly binMs: number
  /** Per bin: rows, and the sum of each model's losses over them. A bin without rows holds zeros. */
  readonly counts: Float64Array
  readonly champion: Float64Array
  readonly challenger: Float64Array
}

export interface PairedLosses {
  /** Per row: the origin (epoch ms), in any order. */
  readonly origins: ArrayLike<number>
  readonly champion: ArrayLike<number>
  readonly challenger: ArrayLike<number>
}

/** Rows for which `member` is not zero; all where it is left out. Costs one pass over the rows. */
export const toLossSeries = (losses: PairedLosses, binMs: number, member?: ArrayLike<number>): LossSeries => {
  const { origins } = losses
  let first = Infinity
  let last = -Infinity
  for (let row = 0; row < origins.length; row++) {
    if (member?.[row] === 0) continue
    const bin = Math.floor((origins[row] as number) / binMs)
    first = Math.min(first, bin)
    last = Math.max(last, bin)
  }
  const bins = last < first ? 0 : last - first + 1
  const counts = new Float64Array(bins)
  const champion = new Float64Array(bins)
  const challenger = new Float64Array(bins)
  for (let row = 0; row < origins.length; row++) {
    if (member?.[row] === 0) continue
    const bin = Math.floor((origins[row] as number) / binMs) - first
    counts[bin] = (counts[bin] as number) + 1
    champion[bin] = (champion[bin] as number) + (losses.champion[row] as number)
    challenger[bin] = (challenger[bin] as number) + (losses.challenger[row] as number)
  }
  return { binMs, counts, champion, challenger }
}

/** A series that is given as it is: one pair of losses per bin. */
export const lossSeriesOf = (
  champion: ArrayLike<number>,
  challenger: ArrayLike<number>,
  binMs: number,
): LossSeries => ({
  binMs,
  counts: new Float64Array(champion.length).fill(1),
  champion: Float64Array.from(champion),
  challenger: Float64Array.from(challenger),
})

export interface MeanLosses {
  readonly rows: number
  readonly champion: number
  readonly challenger: number
}

/** Mean losses over all rows; NaN without rows. */
export const meanLosses = ({ counts, champion, challenger }: LossSeries): MeanLosses => {
  const rows = sumOf(counts)
  return { rows, champion: sumOf(champion) / rows, challenger: sumOf(challenger) / rows }
}

/** Days (from the first bin on) that hold rows. */
export const daysIn = ({ binMs, counts }: LossSeries): number => {
  const days = new Set<number>()
  for (const [bin, count] of counts.entries()) if (count > 0) days.add(Math.floor((bin * binMs) / dayMs))
  return days.size
}

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0)
