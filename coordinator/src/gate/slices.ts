/**
 * Where could a better average hide a worse service? Rows by meter (or by groups of meters of similar level, where
 * there are many), by kind of day, by time of day and by season, each compared on its own rows.
 */

import { createCalendar, dayMs, dayOf, dayOfWeekOf, timeOfDayOf, utc } from '@imlma/protocol/series'
import { gainOf } from './block-bootstrap.ts'
import type { Contest, ContestRows } from './evaluation.ts'
import { relativeDieboldMariano } from './diebold-mariano.ts'
import { daysIn, meanLosses, toLossSeries } from './loss-series.ts'
import type { GateOptions } from './options.ts'
import type { Resolution } from './resolution.ts'

export interface Slice {
  readonly name: string
  readonly rows: number
  /** Mean squared errors. */
  readonly champion: number
  readonly challenger: number
  /** Relative reduction of the MSE; negative is worse. */
  readonly gain: number
  /** One-sided: chance of such a loss if the challenger were no worse here. */
  readonly p: number
}

/** Every row in one of the named classes. */
interface Slicing {
  readonly names: readonly string[]
  readonly classes: Uint8Array
  /** Whether a class is measured by its own errors, however small. */
  readonly ownScale: boolean
}

/** Slices with enough rows that do not hold them all. */
export const lookAtSlices = (
  contest: Contest,
  options: GateOptions,
  { binMs, bandwidth }: Resolution,
): readonly Slice[] => {
  const { rows, champion, challenger } = contest
  const losses = {
    origins: rows.origins,
    champion: champion.squaredErrors,
    challenger: challenger.squaredErrors,
  }
  const overall = meanLosses(toLossSeries(losses, binMs)).champion
  return [meterSlicing(rows, options), ...timeSlicings(contest)].flatMap(({ names, classes, ownScale }) =>
    names.flatMap((name, index) => {
      const member = membersOf(classes, index)
      if (!isEnough(member, rows.origins, options)) return []
      const series = toLossSeries(losses, binMs, member)
      const means = meanLosses(series)
      // A night of almost no error may double it: measured by a hundredth of the usual error it is still almost none.
      const scale = ownScale ? means.champion : Math.max(means.champion, overall / 100)
      const gain =
        scale === 0 ? gainOf(means.champion, means.challenger) : (means.champion - means.challenger) / scale
      return [{ name, ...means, gain, p: 1 - relativeDieboldMariano(series, bandwidth, daysIn(series)).p }]
    }),
  )
}

const membersOf = (classes: Uint8Array, index: number): Uint8Array => {
  const member = new Uint8Array(classes.length)
  for (let row = 0; row < classes.length; row++) member[row] = classes[row] === index ? 1 : 0
  return member
}

const isEnough = (
  member: Uint8Array,
  origins: ArrayLike<number>,
  { sliceRowsMin, sliceDaysMin }: GateOptions,
): boolean => {
  const days = new Set<number>()
  let count = 0
  let previous = Number.NaN
  for (let row = 0; row < member.length; row++) {
    if (member[row] === 0) continue
    count += 1
    const day = dayOf(origins[row] as number)
    if (day !== previous) days.add(day)
    previous = day
  }
  return count >= sliceRowsMin && count < member.length && days.size >= sliceDaysMin
}

const meterSlicing = (
  { meters, actuals }: ContestRows,
  { singleMetersMax, meterGroups }: GateOptions,
): Slicing => {
  const levels = new Map<string, { sum: number; rows: number }>()
  for (const [row, meter] of meters.entries()) {
    const level = levels.get(meter) ?? { sum: 0, rows: 0 }
    level.sum += Math.abs(actuals[row] as number)
    level.rows += 1
    levels.set(meter, level)
  }
  const ranked = [...levels]
    .map(([meter, { sum, rows }]) => ({ meter, level: sum / rows }))
    .toSorted((a, b) => a.level - b.level || (a.meter < b.meter ? -1 : 1))
    .map(({ meter }) => meter)
  const single = ranked.length <= singleMetersMax
  const groups = single ? ranked.length : meterGroups
  const groupOf = new Map(ranked.map((meter, rank) => [meter, Math.floor((rank * groups) / ranked.length)]))
  return {
    names: Array.from({ length: groups }, (_, group) =>
      single ? `meter ${ranked[group]}` : `meters of level ${group + 1} of ${groups}`,
    ),
    classes: classesOf(meters, (meter) => groupOf.get(meter) as number),
    ownScale: true,
  }
}

const classesOf = <Value>(values: ArrayLike<Value>, classOf: (value: Value) => number): Uint8Array => {
  const classes = new Uint8Array(values.length)
  for (let row = 0; row < values.length; row++) classes[row] = classOf(values[row] as Value)
  return classes
}

const quarterDays = ['0–6 h', '6–12 h', '12–18 h', '18–24 h']
const seasons = ['December–February', 'March–May', 'June–August', 'September–November']

/** By the middle of a row's targets. Rows of half a day and more say nothing of times of day. */
const timeSlicings = ({ rows, intervalMs, horizon, zone = utc }: Contest): readonly Slicing[] => {
  const calendar = createCalendar(zone, [])
  const by = (names: readonly string[], classOf: (local: number) => number): Slicing => ({
    names,
    classes: classesOf(rows.origins, (origin) =>
      classOf(calendar.toLocal(origin + (horizon * intervalMs) / 2)),
    ),
    ownScale: false,
  })
  return [
    by(['weekdays', 'weekends'], (local) => (dayOfWeekOf(dayOf(local)) >= 5 ? 1 : 0)),
    ...(horizon * intervalMs < dayMs / 2
      ? [by(quarterDays, (local) => Math.floor(timeOfDayOf(local) / (dayMs / 4)))]
      : []),
    by(seasons, (local) => Math.floor(((new Date(local).getUTCMonth() + 1) % 12) / 3)),
  ]
}
