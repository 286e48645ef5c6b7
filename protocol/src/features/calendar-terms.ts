/** Terms made of local civil time: time of day, kind of day, season of the year, holidays. */
import { dayMs, dayOfWeekOf, dayOfYearOf, dayTypeOf, type Calendar } from '../series/index.ts'
import { harmonicTable } from './harmonics.ts'
import type { CalendarPart } from './fields.ts'
import type { Term } from './term.ts'

const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']
const dayTypes = ['working day', 'Saturday', 'Sunday or holiday']

export const calendarTerm = (part: CalendarPart, calendar: Calendar, intervalMs: number): Term => {
  const slots = dayMs / intervalMs
  switch (part.kind) {
    case 'time-of-day-one-hot':
      return oneHotTerm(
        Array.from({ length: slots }, (_, slot) => `slot ${slot}`),
        (_day, timeOfDayMs) => Math.floor(timeOfDayMs / intervalMs),
      )
    case 'day-of-week':
      return oneHotTerm(weekdays, dayOfWeekOf)
    case 'day-type':
      return oneHotTerm(dayTypes, (day) => dayTypeOf(calendar, day))
    case 'time-of-day-harmonics':
      return harmonicsTerm('day', harmonicTable(slots, slots, part.order), part.order, (_day, timeOfDayMs) =>
        Math.floor(timeOfDayMs / intervalMs),
      )
    case 'day-of-year-harmonics':
      // 365.25 days in whole quarters of a day: 1461.
      return harmonicsTerm('year', yearTable(part.order), part.order, dayOfYearOf)
    case 'holiday':
      return {
        names: part.offsetDays.map((offset) => `holiday in ${offset} days`),
        role: 'plain',
        write: ({ day }, target, at) => {
          for (let i = 0; i < part.offsetDays.length; i++) {
            target[at + i] = calendar.isHoliday(day + (part.offsetDays[i] as number)) ? 1 : 0
          }
        },
      }
    case 'day-profile':
      return profileTerm(
        part.by === 'day-type' ? dayTypes : weekdays,
        part.by === 'day-type' ? (day) => dayTypeOf(calendar, day) : dayOfWeekOf,
        harmonicTable(slots, slots, part.order),
        part.order,
        intervalMs,
      )
  }
}

type Classify = (day: number, timeOfDayMs: number) => number

const oneHotTerm = (names: readonly string[], classify: Classify): Term => ({
  names,
  role: 'plain',
  write: ({ day, timeOfDayMs }, target, at) => {
    target.fill(0, at, at + names.length)
    target[at + classify(day, timeOfDayMs)] = 1
  },
})

const harmonicNames = (prefix: string, order: number): readonly string[] =>
  Array.from({ length: order }, (_, i) => [`${prefix} cos ${i + 1}`, `${prefix} sin ${i + 1}`]).flat()

const harmonicsTerm = (prefix: string, table: Float32Array, order: number, phaseOf: Classify): Term => ({
  names: harmonicNames(prefix, order),
  role: 'plain',
  write: ({ day, timeOfDayMs }, target, at) => {
    const row = phaseOf(day, timeOfDayMs) * 2 * order
    for (let i = 0; i < 2 * order; i++) target[at + i] = table[row + i] as number
  },
})

/** Per class a constant and the harmonics of the day; zero for every class but the day's own. */
const profileTerm = (
  classes: readonly string[],
  classify: (day: number) => number,
  table: Float32Array,
  order: number,
  intervalMs: number,
): Term => {
  const width = 1 + 2 * order
  return {
    names: classes.flatMap((name) => [name, ...harmonicNames(name, order)]),
    role: 'plain',
    write: ({ day, timeOfDayMs }, target, at) => {
      target.fill(0, at, at + classes.length * width)
      const first = at + classify(day) * width
      const row = Math.floor(timeOfDayMs / intervalMs) * 2 * order
      target[first] = 1
      for (let i = 0; i < 2 * order; i++) target[first + 1 + i] = table[row + i] as number
    },
  }
}

const yearTable = (order: number): Float32Array => {
  const quarters = harmonicTable(1461, 1461, order)
  const width = 2 * order
  const table = new Float32Array(366 * width)
  for (let day = 0; day < 366; day++) {
    table.set(quarters.subarray(4 * day * width, (4 * day + 1) * width), day * width)
  }
  return table
}
