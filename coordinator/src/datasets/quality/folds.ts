/**
 * A feed that keeps local time although it says UTC: in spring an hour is not there, in autumn one is there twice.
 *
 *   stamped in standard time   the fold lies at the transition itself
 *   stamped in local time      the fold lies at the transition's local time, as many hours later as the zone is east
 *
 * The store holds one value a slot, so a second hour shows as a copy of its neighbour, or as the sum of both. Where a
 * spring hour is found to be missing, the autumn hours of the same feed are one of two, nobody knows which.
 */

import { timeAt, type IntervalSeries, type Zone } from '@imlma/protocol/series'
import { bits, type QualityMask } from './checks.ts'

const dayMs = 86_400_000

/** Missing readings in the fortnight around a transition above which a missing hour is nothing special. */
const missingShareMax = 0.02
/** A doubled hour against the same hour of the days around it; the hours beside it must be as usual. */
const doubled = { min: 1.7, max: 2.3 }
const usual = { min: 0.7, max: 1.4 }
/** Share of readings that equal the one before; above the n-th root of it an hour that is repeated proves nothing. */
const chanceMax = 0.01

interface Fold {
  readonly from: number
  readonly to: number
  /** An hour less in spring, an hour more in autumn. */
  readonly season: 'spring' | 'autumn'
}

/** Looks at the zone's transitions only: costs nothing where there is none, as in UTC. */
export const flagFolds = (series: IntervalSeries, zone: Zone, mask: QualityMask): void => {
  const offsets = new Set(zone.map(({ offsetMs }) => offsetMs))
  const standard = Math.min(...offsets)
  for (const shift of new Set([0, standard])) {
    const folds = foldsOf(series, zone, shift)
    const skips = folds.some((fold) => fold.season === 'spring' && isSkipped(series, fold))
    for (const fold of folds) {
      const found =
        fold.season === 'spring'
          ? isSkipped(series, fold) || isZeroed(series, fold) || isCopied(series, fold)
          : skips || isCopied(series, fold) || isDoubled(series, fold)
      if (!found) continue
      for (let i = fold.from; i < fold.to; i++) mask[i] = (mask[i] as number) | bits.daylightSaving
    }
  }
}

/** Folds that lie in the series with at least their own length on both sides. */
const foldsOf = (series: IntervalSeries, zone: Zone, shift: number): readonly Fold[] =>
  zone.flatMap(({ from: at, offsetMs }, index) => {
    const before = zone[index - 1]
    if (before === undefined) return []
    const slots = Math.abs(offsetMs - before.offsetMs) / series.intervalMs
    const from = (at + shift - timeAt(series, 0)) / series.intervalMs
    if (slots < 1 || !Number.isInteger(slots) || !Number.isInteger(from)) return []
    if (from < slots || from + 2 * slots > series.values.length) return []
    return [{ from, to: from + slots, season: offsetMs > before.offsetMs ? 'spring' : 'autumn' }]
  })

const isSkipped = ({ values, intervalMs }: IntervalSeries, { from, to }: Fold): boolean => {
  if (!values.subarray(from, to).every(Number.isNaN)) return false
  const week = Math.round((7 * dayMs) / intervalMs)
  const around = [values.subarray(Math.max(0, from - week), from), values.subarray(to, to + week)]
  const missing = around.flatMap((part) => [...part]).filter(Number.isNaN).length
  return missing <= missingShareMax * (around[0]!.length + around[1]!.length)
}

const isZeroed = (series: IntervalSeries, { from, to }: Fold): boolean => {
  const { values } = series
  const slots = to - from
  if (!values.subarray(from, to).every((value) => value === 0)) return false
  const expected = usualSum(series, from, slots)
  return expected > 0 && (values[from - 1] as number) > 0 && (values[to] as number) > 0
}

/** Equal to the hour before or after, in a series where that is too rare to be chance. */
const isCopied = ({ values }: IntervalSeries, { from, to }: Fold): boolean => {
  const slots = to - from
  const equals = (other: number): boolean => {
    for (let i = 0; i < slots; i++) if (values[from + i] !== values[other + i]) return false
    return true
  }
  if (!equals(from - slots) && !equals(to)) return false
  let repeated = 0
  for (let i = slots; i < values.length; i++) if (values[i] === values[i - slots]) repeated += 1
  return (repeated / values.length) ** slots < chanceMax
}

const isDoubled = (series: IntervalSeries, { from, to }: Fold): boolean => {
  const slots = to - from
  const ratioAt = (at: number): number => sumAt(series.values, at, slots) / usualSum(series, at, slots)
  const [before, here, after] = [ratioAt(from - slots), ratioAt(from), ratioAt(to)]
  const lies = (ratio: number, { min, max }: typeof usual): boolean => ratio >= min && ratio <= max
  return lies(here, doubled) && lies(before, usual) && lies(after, usual)
}

/** Mean sum of the same slots one and seven days before and after; NaN where none of them is whole. */
const usualSum = ({ values, intervalMs }: IntervalSeries, at: number, slots: number): number => {
  const sums = [-7, -1, 1, 7]
    .map((days) => sumAt(values, at + Math.round((days * dayMs) / intervalMs), slots))
    .filter((sum) => !Number.isNaN(sum))
  return sums.reduce((sum, value) => sum + value, 0) / sums.length
}

const sumAt = (values: Float32Array, at: number, slots: number): number => {
  let sum = 0
  for (let i = at; i < at + slots; i++) sum += values[i] ?? Number.NaN
  return sum
}
