import { describe, expect, test } from 'vitest'
import {
  createCalendar,
  dayMs,
  dayOf,
  dayOfWeekOf,
  dayOfYearOf,
  dayTypeOf,
  timeOfDayOf,
  zoneSchema,
} from './calendar.ts'
import { fillGaps } from './gaps.ts'
import { endOf, indexAt, sliceSeries, valueAt, type IntervalSeries } from './interval-series.ts'

const hourMs = 3_600_000
const series: IntervalSeries = { start: 10 * hourMs, intervalMs: hourMs, values: Float32Array.of(1, 2, 3, 4) }
const missing = Number.NaN

describe('interval series', () => {
  test('a time inside an interval belongs to its value', () => {
    expect(indexAt(series, 11 * hourMs + 1)).toBe(1)
    expect(valueAt(series, 12 * hourMs - 1)).toBe(2)
    expect(valueAt(series, 9 * hourMs)).toBeNaN()
    expect(endOf(series)).toBe(14 * hourMs)
  })

  test('a slice beyond the series is missing values, and a copy', () => {
    const slice = sliceSeries(series, 8 * hourMs, 12 * hourMs)
    expect(slice).toEqual({
      start: 8 * hourMs,
      intervalMs: hourMs,
      values: Float32Array.of(missing, missing, 1, 2),
    })
    slice.values[2] = 99
    expect(series.values[0]).toBe(1)
    expect(sliceSeries(series, 13 * hourMs, 15 * hourMs).values).toEqual(Float32Array.of(4, missing))
    expect(sliceSeries(series, 20 * hourMs, 22 * hourMs).values).toEqual(Float32Array.of(missing, missing))
    expect(sliceSeries(series, 2 * hourMs, 4 * hourMs).values).toEqual(Float32Array.of(missing, missing))
    expect(sliceSeries(series, 12 * hourMs, 11 * hourMs).values).toHaveLength(0)
  })
})

describe('gaps', () => {
  const filled = (values: readonly number[], seasonSteps: number) => {
    const window = Float32Array.from(values)
    return [fillGaps(window, seasonSteps), [...window]]
  }

  test('take the value one season earlier, else the last one', () => {
    expect(filled([1, 2, 3, missing, missing], 3)).toEqual([2, [1, 2, 3, 1, 2]])
    expect(filled([1, 2, missing, missing, 5], 4)).toEqual([2, [1, 2, 2, 2, 5]])
  })

  test('at the start take the first value that is there', () => {
    expect(filled([missing, missing, 7, missing], 2)).toEqual([3, [7, 7, 7, 7]])
  })

  test('are left alone where everything is missing', () => {
    expect(filled([missing, missing], 1)).toEqual([2, [missing, missing]])
  })
})

describe('calendar', () => {
  test('agrees with the Gregorian calendar over two centuries', () => {
    for (let day = -25_567; day < 50_000; day++) {
      const date = new Date(day * dayMs)
      expect(dayOfWeekOf(day)).toBe((date.getUTCDay() + 6) % 7)
      expect(dayOfYearOf(day)).toBe((date.getTime() - Date.UTC(date.getUTCFullYear(), 0)) / dayMs)
    }
  })

  test('follows the transitions of its zone in any order of questions', () => {
    const summer = Date.UTC(2024, 2, 31, 1)
    const calendar = createCalendar(
      [
        { from: 0, offsetMs: hourMs },
        { from: summer, offsetMs: 2 * hourMs },
      ],
      [],
    )
    expect(timeOfDayOf(calendar.toLocal(summer))).toBe(3 * hourMs)
    expect(timeOfDayOf(calendar.toLocal(summer - 1))).toBe(2 * hourMs - 1)
    expect(timeOfDayOf(calendar.toLocal(-hourMs))).toBe(0)
    expect(timeOfDayOf(calendar.toLocal(summer + 1))).toBe(3 * hourMs + 1)
  })

  test('counts a holiday as a Sunday', () => {
    const calendar = createCalendar([{ from: 0, offsetMs: 0 }], ['2024-12-25'])
    const typeAt = (...date: [number, number, number]) => dayTypeOf(calendar, dayOf(Date.UTC(...date)))
    expect([typeAt(2024, 11, 24), typeAt(2024, 11, 25), typeAt(2024, 11, 28), typeAt(2024, 11, 29)]).toEqual([
      0, 2, 1, 2,
    ])
  })

  test('refuses transitions out of order, and none', () => {
    expect(
      zoneSchema.safeParse([
        { from: 5, offsetMs: 0 },
        { from: 5, offsetMs: 1 },
      ]).success,
    ).toBe(false)
    expect(zoneSchema.safeParse([]).success).toBe(false)
    expect(zoneSchema.safeParse([{ from: 5, offsetMs: 2 * dayMs }]).success).toBe(false)
  })
})
