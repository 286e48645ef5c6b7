/**
 * A reading against its meter's own history at that time of day: too high or too low to be a load of this meter, by
 * quantiles, which a fifth of bad readings does not move. Loads are not normal: a house that charges a car twice a
 * week is ten times its median and right. So the upper limit is the widest of what the level, and the logarithm as
 * far as established peaks reach, allow.
 */

import type { IntervalSeries, Zone } from '@imlma/protocol/series'
import { bits, type QualityMask } from './checks.ts'
import { hoursOf } from './hours.ts'

/** Robust standard deviations: a normal reading is that far out once in 10^15, a skewed one about once in 10^4. */
const deviationsMax = 8
/** What lasts and is reached on 2 % of the readings of an hour of the day is a habit; a reading may be this many times as high. */
const peakQuantile = 0.98
const peaksMax = 3

/** Values that the quantiles are taken from: about 170 for an hour of the day. */
const samplesMax = 4_096
/** Below this an hour of the day has no history of its own. */
const samplesMin = 20
/** From the 10 % to the 90 % quantile of a normal distribution, in standard deviations. */
const spreadOfNormal = 2.563

interface Hour {
  /** What 1 % of the readings lie below. */
  readonly least: number
  readonly low: number
  readonly middle: number
  readonly high: number
  readonly peak: number
}

/** Values that are flagged already make no history. */
export const flagImplausible = (series: IntervalSeries, zone: Zone, mask: QualityMask): void => {
  const hours = hoursOf(series, zone)
  const limits = limitsOf(historyOf(series, hours, mask))
  if (limits === undefined) return
  const { values } = series
  const { lower, upper } = limits
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    const hour = hours[i] as number
    // An exact zero is a load that is switched off; whether it may last is the frozen check's question.
    if ((value > (upper[hour] as number) || value < (lower[hour] as number)) && value !== 0) {
      mask[i] = (mask[i] as number) | bits.implausible
    }
  }
}

/** Quantiles per hour of the day, of an even sample; undefined where an hour has too few. */
const historyOf = (
  { values, intervalMs }: IntervalSeries,
  hours: Uint8Array,
  mask: QualityMask,
): readonly (Hour | undefined)[] => {
  const stride = strideOf(values.length, intervalMs)
  const ends = new Uint32Array(24)
  for (let i = 0; i < values.length; i += stride) {
    if (mask[i] === 0) ends[hours[i] as number] = (ends[hours[i] as number] as number) + 1
  }
  for (let hour = 1; hour < 24; hour++) ends[hour] = (ends[hour] as number) + (ends[hour - 1] as number)
  // Hour after hour in one column, each filled from its end.
  const samples = new Float32Array(ends[23] as number)
  const starts = ends.slice()
  for (let i = 0; i < values.length; i += stride) {
    if (mask[i] !== 0) continue
    const hour = hours[i] as number
    const at = (starts[hour] as number) - 1
    starts[hour] = at
    samples[at] = withoutSpike(values, i)
  }
  return Array.from(ends, (end, hour) => hourOf(samples.subarray(starts[hour], end)))
}

/** A reading above both of its neighbours counts as the higher one: a single spike, however often, is no habit. */
const withoutSpike = (values: Float32Array, i: number): number => {
  const value = values[i] as number
  const before = values[i - 1] as number
  const after = values[i + 1] as number
  // Comparisons with what is missing are false: then the other neighbour decides, or the value itself.
  const beside = before > after ? before : after
  return value > beside ? beside : value
}

const hourOf = (samples: Float32Array): Hour | undefined => {
  if (samples.length < samplesMin) return undefined
  samples.sort()
  const quantile = (share: number): number => samples[Math.floor(share * (samples.length - 1))] as number
  return {
    least: quantile(0.01),
    low: quantile(0.1),
    middle: quantile(0.5),
    high: quantile(0.9),
    peak: quantile(peakQuantile),
  }
}

/** Shares no factor with the readings of a week, so that every hour and every weekday has its part of the sample. */
const strideOf = (length: number, intervalMs: number): number => {
  const week = Math.max(1, Math.round((168 * 3_600_000) / intervalMs))
  let stride = Math.max(1, Math.ceil(length / samplesMax))
  while (greatestCommonDivisor(stride, week) > 1) stride += 1
  return stride
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b)

/** What each hour of the day may lie between; undefined where there is no history to speak of. */
const limitsOf = (history: readonly (Hour | undefined)[]) => {
  const known = history.filter((hour) => hour !== undefined)
  if (known.length === 0) return undefined
  const spread = spreadOver(known, (value) => value)
  // A meter that never varied says nothing about what it could do.
  if (spread === 0) return undefined
  const positive = known.every(({ least, low }) => least >= 0 && low > 0)
  const logSpread = positive ? spreadOver(known, Math.log) : Number.POSITIVE_INFINITY
  const peak = peaksMax * Math.max(...known.map((hour) => hour.peak))
  const lower = new Float64Array(24).fill(Number.NEGATIVE_INFINITY)
  const upper = new Float64Array(24).fill(Number.POSITIVE_INFINITY)
  history.forEach((hour, at) => {
    if (hour === undefined) return
    const { middle } = hour
    const deviation = Math.max(spread, spreadOf(hour))
    const logDeviation = positive
      ? Math.max(logSpread, Math.log(hour.high / hour.low) / spreadOfNormal)
      : logSpread
    const logUpper = middle > 0 ? middle * Math.exp(deviationsMax * logDeviation) : peak
    upper[at] = Math.max(middle + deviationsMax * deviation, Math.min(logUpper, peak))
    lower[at] = Math.max(
      middle - deviationsMax * deviation,
      positive ? middle * Math.exp(-deviationsMax * logDeviation) : Number.NEGATIVE_INFINITY,
    )
  })
  return { lower, upper }
}

const spreadOf = ({ low, high }: Hour): number => (high - low) / spreadOfNormal

/** Of the whole day: the mean spread of its hours, or how far apart the hours are, whichever is more. */
const spreadOver = (hours: readonly Hour[], scale: (value: number) => number): number => {
  let sum = 0
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { low, middle, high } of hours) {
    sum += (scale(high) - scale(low)) / spreadOfNormal
    least = Math.min(least, scale(middle))
    most = Math.max(most, scale(middle))
  }
  return Math.max(sum / hours.length, (most - least) / spreadOfNormal)
}
