/**
 * Which column says when. Of the columns whose every cell is a time, the one that steps most regularly is it; the same
 * decides between 01/02 in January and in February. Names only break ties.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { endOfDay } from './grid.ts'
import type { FileRow, InspectOptions, TimeColumn } from './file-plan.ts'
import { formatsOf, parseTime, timeFormats, type TimeFormat } from './time-format.ts'

interface Candidate extends TimeColumn {
  /** Share of steps that are whole intervals. */
  readonly regularity: number
  /** Line of the first step that is not. */
  readonly irregularLine: number | undefined
}

/** Below this share of regular steps it is not an interval series. */
const regularityMin = 0.9

const timeName = /time|date|stamp|datum|zeit|^ds$|^t$/i

export const findTimeColumn = (
  header: readonly string[],
  rows: readonly FileRow[],
  options: InspectOptions,
): Result<TimeColumn, 'NO_TIME_COLUMN' | 'NO_SUCH_COLUMN' | 'BAD_TIME' | 'IRREGULAR_INTERVAL'> => {
  const { timeColumn } = options
  if (timeColumn !== undefined && !header.includes(timeColumn)) {
    return refuse(
      'NO_SUCH_COLUMN',
      `there is no column ${timeColumn}`,
      `the columns are ${header.join(', ')}`,
    )
  }
  const offsetMs = (options.timeOffsetMinutes ?? 0) * 60_000
  const indexes = header.flatMap((name, index) =>
    timeColumn === undefined || name === timeColumn ? [index] : [],
  )
  const candidates = indexes.flatMap((index) =>
    formatsOf(rows.map(({ cells }) => cells[index] ?? '')).map((format) =>
      judge(header, rows, index, format, offsetMs),
    ),
  )
  const [best] = candidates.toSorted(
    (a, b) => b.regularity - a.regularity || Number(timeName.test(b.name)) - Number(timeName.test(a.name)),
  )
  if (best === undefined) return refuseNone(header, rows, indexes)
  const { regularity, irregularLine, ...time } = best
  if (rows.length > 1 && regularity < regularityMin && options.intervalMs === undefined) {
    return refuse(
      'IRREGULAR_INTERVAL',
      `line ${irregularLine ?? 2}: the times of ${time.name} do not follow one interval`,
      'give the interval, sort the file by time, or give one meter a file',
    )
  }
  return accept(time)
}

const judge = (
  header: readonly string[],
  rows: readonly FileRow[],
  index: number,
  format: TimeFormat,
  offsetMs: number,
): Candidate => {
  const times = rows.map(({ cells }) => parseTime(format, cells[index] ?? '', offsetMs))
  const intervalMs = commonStep(times)
  let regular = 0
  let irregularLine: number | undefined
  let before = times[0] as number
  for (let i = 1; i < times.length; i++) {
    const at = endOfDay(times[i] as number, before, { intervalMs: intervalMs ?? 1, offsetMs })
    const step = at - before
    if (intervalMs !== undefined && step > 0 && step % intervalMs === 0)
      regular += step === intervalMs ? 1 : 0.95
    else irregularLine ??= rows[i]?.line
    before = at
  }
  const regularity = times.length < 2 ? 0 : regular / (times.length - 1)
  return { index, name: header[index] ?? '', format, offsetMs, intervalMs, regularity, irregularLine }
}

/** The step forward that occurs most. */
const commonStep = (times: readonly number[]): number | undefined => {
  const counts = new Map<number, number>()
  for (let i = 1; i < times.length; i++) {
    const step = (times[i] as number) - (times[i - 1] as number)
    if (step > 0) counts.set(step, (counts.get(step) ?? 0) + 1)
  }
  return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0]
}

/** No column is all times: say which one nearly is, and where it is not. */
const refuseNone = (header: readonly string[], rows: readonly FileRow[], indexes: readonly number[]) => {
  for (const index of indexes) {
    for (const format of timeFormats) {
      const bad = rows.find(({ cells }) => Number.isNaN(parseTime(format, cells[index] ?? '', 0)))
      const good = rows.filter(({ cells }) => !Number.isNaN(parseTime(format, cells[index] ?? '', 0)))
      if (bad !== undefined && good.length > rows.length / 2) {
        return refuse(
          'BAD_TIME',
          `line ${bad.line}: ${JSON.stringify(bad.cells[index] ?? '')} in ${header[index]} is not a time like ${JSON.stringify(good[0]?.cells[index])}`,
          'correct the line, or remove it',
        )
      }
    }
  }
  return refuse(
    'NO_TIME_COLUMN',
    `no column of ${header.join(', ')} holds times`,
    'times are read as 2024-05-01T12:00:00Z, 2024-05-01 12:00, 01/05/2024 12:00 or epoch seconds; name the column if it has another place',
  )
}
