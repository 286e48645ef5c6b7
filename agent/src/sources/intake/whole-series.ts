/**
 * One series whose inputs are readings of whole intervals already: they go on at once. One that comes again with the same
 * value is left out; with another value it is a correction, as one that comes after a newer one is late: both are sent,
 * and the control centre lets the better quality stand, the first one where they are equal.
 */

import type { ClosedInterval } from './aggregate-series.ts'
import type { Sample } from './document.ts'
import type { SampleOutcome, SeriesState } from './series-state.ts'
import { factorOf, type ValueMapping } from './values.ts'

/** Readings by which a repetition is known: those of a concentrator that sends its last few each time. */
const recentMax = 8

/** Share of an interval by which a clock may be off: a reading of 12:00:03 is that of 12:00. */
const offGridShareMax = 0.05

export interface WholeOutcome {
  readonly outcome: SampleOutcome
  readonly closed?: ClosedInterval
}

/** Changes the state. */
export const takeReading = (
  state: SeriesState,
  { at, value, quality = 0 }: Pick<Sample, 'at' | 'value' | 'quality'>,
  mapping: ValueMapping,
  stamped: 'start' | 'end',
): WholeOutcome => {
  const { intervalMs } = mapping
  const nearest = Math.round(at / intervalMs)
  if (Math.abs(at - nearest * intervalMs) > offGridShareMax * intervalMs) return { outcome: 'off grid' }
  const interval = stamped === 'end' ? nearest - 1 : nearest
  const known = state.recent.findLast(([number]) => number === interval)
  if (known?.[1] === value) return { outcome: 'repeated' }
  const isLate = interval < state.newest
  state.recent = [
    ...state.recent.filter((each) => each !== known),
    [interval, value] as [number, number],
  ].slice(-recentMax)
  state.newest = Math.max(state.newest, interval)
  state.newestAt = Math.max(state.newestAt, at)
  const isCorrection = known !== undefined
  const closed = { value: value * factorOf(mapping), quality, interval, isCorrection }
  if (isCorrection) return { outcome: 'corrected', closed }
  return { outcome: isLate ? 'late' : 'taken', closed }
}
