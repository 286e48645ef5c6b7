/** One series that may go into a snapshot: its readings in the window, what the quality checks left of them, and why. */

import type { Zone } from '@imlma/protocol/series'
import { isTrainable } from '@imlma/protocol/wire'
import type { ReadingsReader, SeriesRecord } from '../storage/readings.ts'
import { keepOut, tallyOf, type FlagCounts } from './quality/checks.ts'
import { inspectSeries } from './quality/inspect.ts'
import { qualityDefaults, toRules, type QualityRules, type QualitySettings } from './quality/rules.ts'
import type { SnapshotSeries } from './snapshot.ts'
import type { TimeRange } from './split.ts'

export interface SeriesQuality {
  readonly meter: string
  readonly register: string
  /** Slots from the series' first reading, or the window's start, to the window's end. */
  readonly expected: number
  readonly trainable: number
  /** Filled, but suspect or of a fault state: missing in the snapshot. */
  readonly notTrainable: number
  /** Slots that a quality check found something against, by check; missing in the snapshot. `gap`: never filled. */
  readonly flagged: FlagCounts
  readonly leftOut: boolean
}

export interface Candidate {
  readonly series: SnapshotSeries
  readonly quality: SeriesQuality
  readonly agent: string
}

/** Series named in a refusal; the rest is a number. */
const namedMax = 5

/** What readings are judged by. */
interface Judged {
  readonly quality?: QualitySettings
  readonly unit?: string
  readonly zone?: Zone
}

export type RulesOf = (record: SeriesRecord) => QualityRules

export const targetRules =
  ({ quality, unit, zone }: Judged): RulesOf =>
  (record) =>
    toRules({ ...record, unit, zone }, quality)

/** Weather, prices, flags: of no unit that is known here, and a flag may stay what it is for days. */
export const covariateRules =
  ({ zone }: Judged): RulesOf =>
  (record) => ({
    ...toRules({ ...record, zone }, qualityDefaults),
    frozenReadingsMin: Number.POSITIVE_INFINITY,
  })

/** Reads a series in the window and makes everything missing that is not fit for training. */
export const readCandidate = (
  readings: ReadingsReader,
  record: SeriesRecord,
  window: TimeRange,
  completenessMin: number,
  rules: QualityRules,
): Candidate => {
  const { meter, register, intervalMs, agent } = record
  const start = Math.min(Math.max(window.start, record.firstAt), window.end)
  const { values, quality: codes } = readings.read(record, start, window.end)
  let notTrainable = 0
  codes.forEach((code, i) => {
    if (isTrainable(code) || Number.isNaN(values[i])) return
    values[i] = Number.NaN
    notTrainable += 1
  })
  const series = { meter, register, intervalMs, start, values }
  const mask = inspectSeries(series, rules)
  keepOut(values, mask)
  const { sound: trainable, flagged } = tallyOf(mask)
  const { gap: missing = 0, ...found } = flagged
  // What was there but not trainable is counted as that, not as a gap.
  const gap = missing - notTrainable
  const expected = values.length
  const leftOut = expected === 0 || trainable / expected < completenessMin
  return {
    series,
    quality: {
      meter,
      register,
      expected,
      trainable,
      notTrainable,
      flagged: gap === 0 ? found : { gap, ...found },
      leftOut,
    },
    agent,
  }
}

/** Which series were left out, and what most of their readings failed at; empty where there are none. */
export const tellLeftOut = (series: readonly SeriesQuality[]): string => {
  const bad = series.filter(({ leftOut }) => leftOut)
  if (bad.length === 0) return ''
  const named = bad
    .slice(0, namedMax)
    .map((one) => `${one.meter} ${one.trainable} of ${one.expected}${because(one)}`)
    .join(', ')
  return `; too few from ${bad.length} series: ${named}${bad.length > namedMax ? ' …' : ''}`
}

/** What most of a series' readings failed at. */
const because = ({ notTrainable, flagged }: SeriesQuality): string => {
  const [worst] = Object.entries({ ...flagged, 'not trainable': notTrainable }).toSorted(
    ([, a], [, b]) => b - a,
  )
  return worst === undefined || worst[1] === 0 ? '' : ` (${worst[1]} ${worst[0]})`
}
