/**
 * One series whose readings are made of samples.
 *
 *   sample ─▶ open interval ──end + grace──▶ sent ──late sample──▶ corrected, sent again ──two later──▶ forgotten
 *
 * An interval is over when the series itself has gone on beyond its end and the grace, or when real time has and nothing
 * has come for as long as the grace: a concentrator that delivers what it kept during an outage, or a clock that jumps,
 * must not have its intervals cut into pieces. A late sample of an interval that is forgotten changes nothing any more;
 * one of an interval that was never sent begins it.
 */

import { invariant } from '@imlma/protocol/result'
import {
  addAmount,
  addSample,
  emptyAccumulator,
  toReading,
  type Accumulator,
  type Reading,
} from './accumulator.ts'
import { advanceCounter } from './counter.ts'
import { addGap, fillGap, isGap } from './gaps.ts'
import type { SampleOutcome, SeriesState } from './series-state.ts'
import type { ValueMapping } from './values.ts'

/** Intervals kept for a correction after they were sent. */
const sentMax = 2

/** Open at once: a counter's silence of a day at quarter hours, and then some. */
const openMax = 1_500

export interface ClosedInterval extends Reading {
  readonly interval: number
  readonly isCorrection: boolean
}

type Change = (before: Accumulator) => Accumulator | undefined

/** Changes the state. */
export const takeSample = (
  state: SeriesState,
  sample: { readonly at: number; readonly value: number },
  mapping: ValueMapping,
): SampleOutcome => {
  const { at, value } = sample
  if (mapping.aggregate === 'difference') return takeCounter(state, sample, mapping)
  const outcome = change(state, Math.floor(at / mapping.intervalMs), (before) =>
    addSample(before, at, value, mapping),
  )
  if (outcome === 'taken' && at < state.newestAt) return 'late'
  if (outcome !== 'repeated') state.newestAt = Math.max(state.newestAt, at)
  return outcome
}

const takeCounter = (
  state: SeriesState,
  sample: { readonly at: number; readonly value: number },
  mapping: ValueMapping,
): SampleOutcome => {
  const advance = advanceCounter(state.counter ?? undefined, sample, mapping)
  if (advance.kind === 'repeated' || advance.kind === 'late') return advance.kind
  state.counter = { at: sample.at, value: sample.value }
  state.newestAt = Math.max(state.newestAt, sample.at)
  if (advance.kind === 'first') return 'taken'
  if (advance.kind !== 'spread') return advance.kind
  for (const { interval, ...piece } of advance.pieces)
    change(state, interval, (before) => addAmount(before, piece))
  return advance.rolledOver ? 'rolled over' : 'taken'
}

const change = (state: SeriesState, interval: number, apply: Change): SampleOutcome => {
  const openIndex = state.open.findIndex((each) => each.interval === interval)
  if (openIndex >= 0) {
    const after = apply(state.open[openIndex] as Accumulator)
    if (after === undefined) return 'repeated'
    state.open[openIndex] = after
    return 'taken'
  }
  const sentIndex = state.sent.findIndex((each) => each.interval === interval)
  if (sentIndex >= 0) {
    const after = apply(state.sent[sentIndex] as Accumulator)
    if (after === undefined) return 'repeated'
    state.sent[sentIndex] = { ...after, corrected: true }
    return 'corrected'
  }
  const isNew = interval > state.newest
  // Before the first interval nothing was sent either.
  if (!isNew && !isGap(state.gaps, interval)) return 'too late'
  if (state.open.length >= openMax) return 'too late'
  const begun = apply(emptyAccumulator(interval))
  invariant(begun !== undefined, 'the first sample of an interval is no repetition')
  state.open.push(begun)
  if (isNew) {
    state.gaps = [...addGap(state.gaps, state.newest + 1, interval - 1)].map(([from, to]) => [from, to])
    state.newest = interval
  }
  return 'taken'
}

export interface Clocks {
  /** UTC epoch milliseconds. */
  readonly now: number
  /** Milliseconds since the series had its last sample, by a clock that only grows. */
  readonly quietMs: number
}

/** Takes out of the state what is over: ascending, corrections before them. */
export const closeIntervals = (
  state: SeriesState,
  { now, quietMs }: Clocks,
  mapping: ValueMapping,
): readonly ClosedInterval[] => {
  const { intervalMs, graceMs } = mapping
  const isOver = ({ interval }: Accumulator): boolean => {
    const closesAt = (interval + 1) * intervalMs + graceMs
    return state.newestAt >= closesAt || (now >= closesAt && quietMs >= graceMs)
  }
  const over = state.open.filter(isOver).toSorted((a, b) => a.interval - b.interval)
  const corrected = state.sent.filter((each) => each.corrected && (quietMs >= graceMs || over.length > 0))
  if (over.length === 0 && corrected.length === 0) return []
  state.open = state.open.filter((each) => !isOver(each))
  for (const { interval } of over) {
    state.gaps = fillGap(state.gaps, interval).map(([from, to]) => [from, to])
  }
  const closed = [
    ...corrected.map((each) => ({
      ...toReading(each, mapping),
      interval: each.interval,
      isCorrection: true,
    })),
    ...over.map((each) => ({ ...toReading(each, mapping), interval: each.interval, isCorrection: false })),
  ]
  state.sent = [
    ...state.sent.map((each) => (corrected.includes(each) ? { ...each, corrected: false } : each)),
    ...over.map((each) => ({ ...each, corrected: false })),
  ].slice(-sentMax)
  return closed
}
