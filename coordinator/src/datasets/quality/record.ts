/** What is written down of a snapshot's quality: all of it in sum, and the worst series one by one. */

import { qualityChecks, type FlagCounts } from './checks.ts'

/** Readings of one series, or of all. */
export interface QualityCounts {
  readonly expected: number
  readonly trainable: number
  /** Filled, but suspect or of a fault state. */
  readonly notTrainable: number
  readonly flagged: FlagCounts
}

export interface CountedSeries extends QualityCounts {
  readonly meter: string
  readonly register: string
  readonly leftOut: boolean
}

export interface QualityRecord extends QualityCounts {
  /** Those with the largest share of readings that do not train, worst first. */
  readonly series: readonly CountedSeries[]
  /** Series with any reading that does not train; more than are named. */
  readonly seriesFlagged: number
}

/** A record is hashed and kept for ever: it stays below a few kilobytes. */
const seriesMax = 20

export const toQualityRecord = (series: readonly CountedSeries[]): QualityRecord => {
  const sum = (count: (one: CountedSeries) => number): number =>
    series.reduce((total, one) => total + count(one), 0)
  const flagged: FlagCounts = {}
  for (const check of qualityChecks) {
    const count = sum((one) => one.flagged[check] ?? 0)
    if (count > 0) flagged[check] = count
  }
  const worst = series
    .filter(({ trainable, expected, leftOut }) => trainable < expected || leftOut)
    .toSorted((a, b) => missingShare(b) - missingShare(a))
  return {
    expected: sum(({ expected }) => expected),
    trainable: sum(({ trainable }) => trainable),
    notTrainable: sum(({ notTrainable }) => notTrainable),
    flagged,
    series: worst.slice(0, seriesMax),
    seriesFlagged: worst.length,
  }
}

const missingShare = ({ trainable, expected }: CountedSeries): number =>
  expected === 0 ? 1 : 1 - trainable / expected
