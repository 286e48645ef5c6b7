/**
 * From a task and its table to what learners work with: series on one grid, the parts that train, choose and judge,
 * and the calendar. A regression is the same with a horizon of 1 and no past: rows stand on a grid in file order.
 */
import { Failure, invariant } from '@imlma/protocol/result'
import { dayMs, utc, type Zone } from '@imlma/protocol/series'
import type { SnapshotSeries } from '../datasets/snapshot.ts'
import type { TimeRange, TrainingSplit } from '../datasets/split.ts'
import { toGrid, type Grid } from './grid.ts'
import { standardised } from './standardise.ts'
import type { BacktestTask } from './task.ts'
import type { NumberColumn, Table } from './table.csv.ts'
import { toTimes } from './times.ts'

const minuteMs = 60_000
const hourMs = 3_600_000

export interface MaterialCovariate {
  /** The column of the task it was made of. */
  readonly column: string
  /** Of the series; a column of words makes several. */
  readonly name: string
  readonly known: boolean
}

export interface Material {
  readonly content: {
    readonly series: readonly SnapshotSeries[]
    readonly covariates: readonly SnapshotSeries[]
  }
  readonly covariates: readonly MaterialCovariate[]
  readonly intervalMs: number
  readonly seasonSteps: number
  readonly split: TrainingSplit
  readonly test: TimeRange
  readonly zone: Zone
  readonly holidays: readonly string[]
  /** Times here are earlier than those of the file by this much. */
  readonly shiftMs: number
}

export interface MaterialParts {
  /** Offsets of an IANA zone between two times. Throws `Failure` UNKNOWN_ZONE. */
  readonly zoneTransitions: (zone: string, from: number, to: number) => Zone
}

/** Throws `Failure` NO_COLUMN, BAD_VALUE, BAD_TIME, BAD_SPLIT, UNKNOWN_ZONE. */
export const toMaterial = (
  task: BacktestTask,
  table: Table,
  { zoneTransitions }: MaterialParts,
): Material => {
  const isForecast = task.kind === 'forecast'
  const intervalMs = isForecast ? (task.intervalMinutes as number) * minuteMs : minuteMs
  // Origins are counted from midnight UTC: another hour of the day becomes midnight.
  const shiftMs = isForecast ? task.originHour * hourMs : 0
  const grid = isForecast ? gridOf(task, table, intervalMs, shiftMs) : fileOrder(table.rows, intervalMs)
  const ranges = rangesOf(task, grid, shiftMs)
  const toSeries = ({ name, values }: NumberColumn): SnapshotSeries => ({
    meter: name,
    register: name,
    intervalMs,
    start: grid.start,
    values: Float32Array.from(grid.place(values)),
  })
  const trained = {
    from: Math.floor((ranges.split.train.start - grid.start) / intervalMs),
    to: Math.floor((ranges.trainedTo - grid.start) / intervalMs),
  }
  const toTarget = (column: string): SnapshotSeries => {
    const series = toSeries(table.numbers(column))
    return task.scaling === 'none' ? series : { ...series, values: standardised(series.values, trained) }
  }
  const covariates = task.covariates.flatMap(({ column, known }) =>
    table.expanded(column).map((made) => ({ made, entry: { column, name: made.name, known } })),
  )
  const { holidays } = task
  const marks = holidays === undefined ? [] : table.words(holidays.column)
  const dates = holidays === undefined ? [] : table.words(holidays.date)
  return {
    content: { series: task.targets.map(toTarget), covariates: covariates.map(({ made }) => toSeries(made)) },
    covariates: covariates.map(({ entry }) => entry),
    intervalMs,
    seasonSteps: task.seasonSteps ?? (isForecast ? dayMs / intervalMs : 1),
    split: ranges.split,
    test: ranges.test,
    zone: isForecast ? zoneOf(task, grid, intervalMs, shiftMs, zoneTransitions) : utc,
    holidays: [...new Set(dates.filter((_, row) => marks[row] === holidays?.value))].toSorted(),
    shiftMs,
  }
}

const gridOf = (task: BacktestTask, table: Table, intervalMs: number, shiftMs: number): Grid => {
  const { time, resample, from, to } = task
  invariant(time !== undefined, 'a forecast has a time column')
  const times = toTimes(table.words(time.column), time.format).map((one) => one - shiftMs)
  return toGrid(times, {
    intervalMs,
    label: resample?.label ?? 'none',
    ...(from === undefined ? {} : { from: Date.parse(from) - shiftMs }),
    ...(to === undefined ? {} : { to: Date.parse(to) - shiftMs }),
  })
}

const fileOrder = (rows: number, intervalMs: number): Grid => ({
  start: 0,
  length: rows,
  intervalMs,
  place: (values) => values,
})

interface Ranges {
  readonly split: TrainingSplit
  /** Where the training part ends before the gap is taken from it: what scaling may know. */
  readonly trainedTo: number
  readonly test: TimeRange
}

const rangesOf = (task: BacktestTask, grid: Grid, shiftMs: number): Ranges => {
  const { split, horizon, gapSteps = horizon } = task
  const { start, length, intervalMs } = grid
  const end = start + length * intervalMs
  const at = (step: number): number => start + step * intervalMs
  const cuts = ((): readonly [validation: number, test: number, end: number] => {
    if (split.by === 'rows') {
      const validation = split.train
      const test = validation + split.validation
      return [at(validation), at(test), at(test + split.test)]
    }
    if (split.by === 'dates') {
      const [validation, test] = [split.validationFrom, split.testFrom].map(
        (date) => Date.parse(date) - shiftMs,
      )
      return [
        validation as number,
        test as number,
        split.testTo === undefined ? end : Date.parse(split.testTo) - shiftMs,
      ]
    }
    const test = Math.floor(length * (1 - split.test))
    return [at(test - Math.round(length * split.validation)), at(test), end]
  })()
  const [validation, test, testEnd] = cuts
  const gapMs = gapSteps * intervalMs
  if (!(start < validation - gapMs && validation < test && test < testEnd && testEnd <= end)) {
    throw new Failure(
      'BAD_SPLIT',
      `the parts do not fit: ${length} steps of ${intervalMs / minuteMs} minutes are there, from ${new Date(start + shiftMs).toISOString()} on`,
      { hint: 'train, validation and test follow each other inside the data; none may be empty' },
    )
  }
  return {
    split: { train: { start, end: validation - gapMs }, validation: { start: validation, end: test } },
    trainedTo: validation,
    test: { start: test, end: testEnd },
  }
}

const zoneOf = (
  { zone, resample }: BacktestTask,
  grid: Grid,
  intervalMs: number,
  shiftMs: number,
  zoneTransitions: MaterialParts['zoneTransitions'],
): Zone => {
  // A label at the end of a bin: local time must say in which day and hour it began.
  const labelMs = resample?.label === 'right' ? intervalMs : 0
  const [from, to] = [grid.start + shiftMs - dayMs, grid.start + shiftMs + grid.length * intervalMs]
  return zoneTransitions(zone, from, to).map((entry) => ({
    from: entry.from - shiftMs,
    offsetMs: entry.offsetMs + shiftMs - labelMs,
  }))
}
