/** Demand of Victoria, a day ahead: every midnight (UTC) forecasts the next 24 hours of December 2014. */
import { join } from 'node:path'
import { featureSpecSchema, type FeatureSpec, type StepTerm } from '@imlma/protocol/features'
import { dayMs } from '@imlma/protocol/series'
import { zoneTransitions } from '@imlma/coordinator/training'
import { readColumns } from './csv.ts'
import type { Candidate, Task } from './task.ts'

const hourMs = 3_600_000
const start = Date.UTC(2012, 0, 1)
const end = Date.UTC(2014, 11, 31)
const testStart = Date.UTC(2014, 11, 1)
/** The year before the test chooses: every season is in it. */
const validationStart = Date.UTC(2013, 11, 1)

/** Half-hours averaged to hours, from `start` to `end`; bins closed left and labelled right, as the protocol has it. */
const toHours = (times: readonly string[], column: readonly string[]): Float32Array => {
  const sums = new Float64Array((end - start) / hourMs)
  const counts = new Uint8Array(sums.length)
  times.forEach((time, i) => {
    const hour = Math.floor((Date.parse(time) - start) / hourMs) + 1
    if (hour < 0 || hour >= sums.length) return
    sums[hour] = (sums[hour] as number) + Number(column[i])
    counts[hour] = (counts[hour] as number) + 1
  })
  return Float32Array.from(sums, (sum, hour) => sum / (counts[hour] as number))
}

const range = (from: number, to: number, by = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, i) => from + i * by)

const calendar: StepTerm = {
  kind: 'calendar',
  parts: [
    { kind: 'day-of-week' },
    { kind: 'day-type' },
    { kind: 'holiday', offsetDays: [-1, 0, 1] },
    { kind: 'time-of-day-harmonics', order: 1 },
    { kind: 'day-of-year-harmonics', order: 4 },
  ],
}

/** In local time, so that it tells summer time from winter time at one UTC hour. */
const weekdayProfile: StepTerm = {
  kind: 'calendar',
  parts: [{ kind: 'day-profile', by: 'day-of-week', order: 1 }],
}

const temperatureTerms = (knots: readonly number[]): StepTerm[] =>
  [
    { lag: 0, averageSteps: 1 },
    { lag: 1, averageSteps: 1 },
    { lag: 2, averageSteps: 1 },
    { lag: 3, averageSteps: 3 },
    { lag: 6, averageSteps: 6 },
    { lag: 0, averageSteps: 24 },
    { lag: 24, averageSteps: 24 },
    { lag: 24, averageSteps: 1 },
  ].map((term) => ({ kind: 'covariate', name: 'temperature', knots: [...knots], ...term }))

export const victoriaTasks = (folder: string): readonly Task[] => {
  const columns = readColumns(join(folder, 'vic_electricity.csv'), [
    'Time',
    'Demand',
    'Temperature',
    'Date',
    'Holiday',
  ])
  const holidays = [...new Set(columns.Date.filter((_, i) => columns.Holiday[i] === 'TRUE'))]
  // An hour's label is its end: local time must say in which day and hour it began.
  const zone = zoneTransitions('Australia/Melbourne', start - dayMs, end).map(({ from, offsetMs }) => ({
    from,
    offsetMs: offsetMs - hourMs,
  }))
  const specOf = (lags: number[], weeks: readonly number[], step: readonly StepTerm[]): FeatureSpec =>
    featureSpecSchema.parse({
      v: 1,
      intervalMs: hourMs,
      horizon: 24,
      seasonSteps: 168,
      missingMax: 24,
      zone,
      holidays,
      shared: [
        { kind: 'lags', lags },
        { kind: 'statistics', over: 24, of: ['mean', 'min', 'max', 'deviation'] },
        { kind: 'statistics', over: 168, of: ['mean', 'deviation'] },
      ],
      step: [
        ...weeks.map((count): StepTerm => ({ kind: 'seasonal-lag', seasonSteps: 168, count })),
        calendar,
        ...step,
      ],
    })
  const candidatesOf = (step: readonly StepTerm[], label: string): Candidate[] =>
    [
      { name: 'a day and two weeks', lags: range(1, 24), weeks: [1, 2], own: [] },
      { name: 'a week and four weeks', lags: range(1, 168), weeks: [2, 3, 4], own: [] },
      {
        name: 'a week, four weeks, weekday profile',
        lags: range(1, 168),
        weeks: [2, 3, 4],
        own: [weekdayProfile],
      },
    ].map(({ name, lags, weeks, own }) => ({
      name: `${name}${label}`,
      spec: specOf(lags, weeks, [...step, ...own]),
      parameters: { normalisation: { level: 'last', scale: 'none' } },
    }))
  const temperature = {
    meter: 'Melbourne',
    register: 'temperature',
    intervalMs: hourMs,
    start,
    values: toHours(columns.Time, columns.Temperature),
  }
  const shared = {
    metric: 'mae',
    unit: 'MW',
    content: {
      series: [
        {
          meter: 'Victoria',
          register: 'demand',
          intervalMs: hourMs,
          start,
          values: toHours(columns.Time, columns.Demand),
        },
      ],
      covariates: [temperature],
    },
    split: {
      train: { start, end: validationStart - dayMs },
      validation: { start: validationStart, end: testStart },
    },
    test: { start: testStart, end },
    originStride: 24,
  } as const
  return [
    {
      ...shared,
      name: 'Victoria',
      bar: 175,
      stretch: 156,
      reference: 'same hour yesterday 308.4, tuned LightGBM 156.1',
      candidates: candidatesOf([], ''),
    },
    {
      ...shared,
      name: 'Victoria with temperature',
      bar: 130,
      stretch: 126,
      reference: 'tuned LightGBM 126.3, 24 ridge models 127.3',
      candidates: [
        ...candidatesOf(temperatureTerms([12, 16, 20, 24, 28, 32]), ', 6 knots'),
        ...candidatesOf(temperatureTerms([10, 15, 18, 21, 24, 27, 30, 35]), ', 8 knots'),
      ],
    },
  ]
}
