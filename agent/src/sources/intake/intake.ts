/**
 * Everything that a source brings on its way to readings of intervals: samples go in, closed intervals come out, and
 * what is in between can be written down and taken up again.
 */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import type { ReadingSeries } from '@imlma/protocol/wire'
import { closeIntervals, takeSample, type ClosedInterval } from './aggregate-series.ts'
import type { Sample } from './document.ts'
import { newSeries, seriesStateSchema, type SampleOutcome, type SeriesState } from './series-state.ts'
import type { ValueMapping } from './values.ts'
import { takeReading } from './whole-series.ts'

export interface IntakeOptions {
  readonly values: readonly ValueMapping[]
  readonly stamped?: 'start' | 'end'
  /** Series kept apart; further ones are refused: names from outside must not fill the memory. */
  readonly seriesMax?: number
}

export interface IntakeReading extends ClosedInterval {
  readonly meter: string
  readonly register: string
  readonly intervalMs: number
}

export type TakeOutcome = SampleOutcome | 'too many series' | 'from the future'

export interface Intake {
  /** `mono`: milliseconds that only grow. */
  readonly take: (sample: Sample, clocks: { readonly now: number; readonly mono: number }) => TakeOutcome
  /** Readings of intervals that are over, each once. */
  readonly close: (clocks: { readonly now: number; readonly mono: number }) => readonly IntakeReading[]
  readonly seriesCount: () => number
  readonly snapshot: () => readonly SeriesState[]
}

/** A device's clock may be ahead of ours so far; a date of next year would hold its series open till then. */
const aheadMsMax = 86_400_000

/** State of an intake as it was written down; undefined where it is none. */
export const parseSnapshot = (written: unknown): readonly SeriesState[] | undefined =>
  z.array(seriesStateSchema).max(limits.seriesPerBatchMax).safeParse(written).data

export const createIntake = (options: IntakeOptions, restored: readonly SeriesState[] = []): Intake => {
  const { values, stamped = 'start', seriesMax = limits.seriesPerBatchMax } = options
  const byKey = new Map<string, { readonly state: SeriesState; touchedAt: number | undefined }>()
  let ready: IntakeReading[] = []
  for (const state of restored) {
    // The configuration has fewer values than it had: what was begun of the others is not finished.
    if (state.channel < values.length) byKey.set(keyOf(state), { state, touchedAt: undefined })
  }

  const label = (state: SeriesState, closed: ClosedInterval): IntakeReading => {
    const { register, intervalMs } = values[state.channel] as ValueMapping
    return { ...closed, meter: state.meter, register, intervalMs }
  }

  return {
    take: (sample, { now, mono }) => {
      if (sample.at > now + aheadMsMax) return 'from the future'
      const key = keyOf(sample)
      let series = byKey.get(key)
      if (series === undefined) {
        if (byKey.size >= seriesMax) return 'too many series'
        series = { state: newSeries(sample.meter, sample.channel), touchedAt: mono }
        byKey.set(key, series)
      }
      series.touchedAt = mono
      const { state } = series
      const mapping = values[sample.channel] as ValueMapping
      if (mapping.aggregate !== 'none') return takeSample(state, sample, mapping)
      const { outcome, closed } = takeReading(state, sample, mapping, stamped)
      if (closed !== undefined) ready.push(label(state, closed))
      return outcome
    },
    close: ({ now, mono }) => {
      const closed = ready
      ready = []
      for (const series of byKey.values()) {
        series.touchedAt ??= mono
        const { state, touchedAt } = series
        const mapping = values[state.channel] as ValueMapping
        if (mapping.aggregate === 'none') continue
        for (const each of closeIntervals(state, { now, quietMs: mono - touchedAt }, mapping)) {
          closed.push(label(state, each))
        }
      }
      return closed
    },
    seriesCount: () => byKey.size,
    snapshot: () => [...byKey.values()].map(({ state }) => state),
  }
}

const keyOf = ({ meter, channel }: Pick<SeriesState, 'meter' | 'channel'>): string => `${channel}\n${meter}`

/** Columns of readings: neighbours of a series are joined, quality is left out where all of it is measured. */
export const toColumns = (readings: readonly IntakeReading[]): readonly ReadingSeries[] => {
  const bySeries = new Map<string, IntakeReading[]>()
  for (const reading of readings) {
    const key = `${reading.intervalMs}\n${reading.register}\n${reading.meter}`
    const column = bySeries.get(key)
    if (column === undefined) bySeries.set(key, [reading])
    else column.push(reading)
  }
  return [...bySeries.values()].flatMap((column) => runsOf(column).map(toColumn))
}

/** Runs of consecutive intervals, in the order in which they came. */
const runsOf = (readings: readonly IntakeReading[]): readonly (readonly IntakeReading[])[] => {
  const runs: IntakeReading[][] = []
  for (const reading of readings) {
    const run = runs.at(-1)
    const before = run?.at(-1)
    const goesOn = before !== undefined && before.interval + 1 === reading.interval
    if (goesOn && run !== undefined && run.length < limits.valuesPerSeriesMax) run.push(reading)
    else runs.push([reading])
  }
  return runs
}

const toColumn = (run: readonly IntakeReading[]): ReadingSeries => {
  const { meter, register, intervalMs, interval } = run[0] as IntakeReading
  const column = {
    meter,
    register,
    interval: intervalMs,
    start: interval * intervalMs,
    values: Float32Array.from(run, ({ value }) => value),
  }
  if (run.every(({ quality }) => quality === 0)) return column
  return { ...column, quality: Uint8Array.from(run, ({ quality }) => quality) }
}
