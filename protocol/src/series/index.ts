/** Interval series, the rule for gaps, and local civil time. */
export {
  civilDateSchema,
  createCalendar,
  dayMs,
  dayOf,
  dayOfWeekOf,
  dayOfYearOf,
  dayTypeOf,
  timeOfDayOf,
  utc,
  zoneSchema,
  type Calendar,
  type Zone,
} from './calendar.ts'
export { fillGaps } from './gaps.ts'
export { endOf, indexAt, sliceSeries, timeAt, valueAt, type IntervalSeries } from './interval-series.ts'
