/**
 * Local civil time without a time-zone database: the offsets from UTC come as a list of transitions and the
 * holidays as a list of civil dates, both carried by the feature spec, so that a gateway with an old database (or
 * none) computes the same features as the control centre did in training.
 */
import { z } from 'zod'

export const dayMs = 86_400_000

export const zoneSchema = z
  .array(z.object({ from: z.int(), offsetMs: z.int().min(-dayMs).max(dayMs) }))
  .min(1)
  .max(1_000)
  .refine(
    (zone) => zone.every((entry, i) => i === 0 || (zone[i - 1] as Transition).from < entry.from),
    'transitions must ascend',
  )

interface Transition {
  readonly from: number
  readonly offsetMs: number
}

/** Transitions in ascending order of `from` (epoch ms). Before the first, its offset holds too. */
export type Zone = readonly Transition[]

export const civilDateSchema = z.iso.date()

export const utc: Zone = [{ from: 0, offsetMs: 0 }]

export interface Calendar {
  /** Local civil time as milliseconds since 1970-01-01 00:00 local. */
  toLocal(time: number): number
  /** Whether the local day (whole days since 1970-01-01) is a holiday. */
  isHoliday(day: number): boolean
}

export const createCalendar = (zone: Zone, holidays: readonly string[]): Calendar => {
  const holidayDays = new Set(holidays.map((date) => Date.parse(date) / dayMs))
  let current = 0
  return {
    toLocal: (time) => {
      while (current > 0 && time < (zone[current] as Transition).from) current -= 1
      while (current + 1 < zone.length && time >= (zone[current + 1] as Transition).from) current += 1
      return time + (zone[current] as Transition).offsetMs
    },
    isHoliday: (day) => holidayDays.has(day),
  }
}

/** Whole days since 1970-01-01 of a local time. */
export const dayOf = (local: number): number => Math.floor(local / dayMs)

/** Milliseconds since local midnight. */
export const timeOfDayOf = (local: number): number => local - dayOf(local) * dayMs

/** 0 = Monday … 6 = Sunday. */
export const dayOfWeekOf = (day: number): number => (((day + 3) % 7) + 7) % 7

/** 0 = 1 January … 365. */
export const dayOfYearOf = (day: number): number => {
  const year = yearOf(day)
  return day - firstDayOf(year)
}

/** 0 = Monday to Friday, 1 = Saturday, 2 = Sunday or holiday. */
export const dayTypeOf = (calendar: Calendar, day: number): number => {
  if (calendar.isHoliday(day)) return 2
  return Math.max(0, dayOfWeekOf(day) - 4)
}

const yearOf = (day: number): number => {
  const estimate = 1970 + Math.floor(day / 365.2425)
  if (day < firstDayOf(estimate)) return estimate - 1
  return day >= firstDayOf(estimate + 1) ? estimate + 1 : estimate
}

/** Days from 1970-01-01 to 1 January of a year of the Gregorian calendar. */
const firstDayOf = (year: number): number => {
  const before = year - 1
  return before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400) - 719_162
}
