/**
 * How a file of readings is to be read, from its header and first rows: time column, date format, interval, columns and
 * units. What is found is a proposal that options override; what cannot be found is refused with what to do.
 */

import { limits } from '@imlma/protocol/limits'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { delimiterOf } from './cells.ts'
import { loadColumns, numericColumns } from './columns.ts'
import type { FilePlan, FileRow, InspectOptions, InspectRefusal, TimeColumn } from './file-plan.ts'
import { findTimeColumn } from './time-column.ts'

/** Rows that the plan is made from. */
export const sampleRows = 2_000

/** The delimiter of a file that begins with `head`. */
export const findDelimiter = (head: string, options: InspectOptions): Result<string, InspectRefusal> => {
  if (head.trim() === '') return refuse('EMPTY_FILE', 'the file has no rows', 'give a CSV file with a header')
  if (head.includes('\0')) {
    return refuse('NOT_CSV', 'the file is not UTF-8 text', 'export it as CSV in UTF-8')
  }
  const header = head.split(/\r\n|\n|\r/).find((line) => line.trim() !== '') ?? ''
  const delimiter = options.delimiter ?? delimiterOf(header)
  if (delimiter !== undefined) return accept(delimiter)
  return refuse(
    'NOT_CSV',
    'line 1: no comma, semicolon or tab between column names',
    'give a CSV file with a header, a time column and a column of readings',
  )
}

export const planFile = (
  header: readonly string[],
  rows: readonly FileRow[],
  delimiter: string,
  options: InspectOptions,
): Result<FilePlan, InspectRefusal> => {
  const twice = header.find((name, index) => name !== '' && header.indexOf(name) !== index)
  if (twice !== undefined) {
    return refuse(
      'DUPLICATE_COLUMN',
      `line 1: two columns are called ${twice}`,
      'give each column a name of its own',
    )
  }
  if (rows.length === 0)
    return refuse('EMPTY_FILE', 'the file has a header and no rows', 'add readings to it')
  const time = findTimeColumn(header, rows, options)
  if (!time.ok) return time
  const intervalMs = options.intervalMs ?? time.value.intervalMs
  if (intervalMs === undefined) {
    return refuse('IRREGULAR_INTERVAL', 'one row does not show an interval', 'give the interval')
  }
  if (intervalMs < limits.intervalMsMin || intervalMs > limits.intervalMsMax) {
    return refuse(
      'IRREGULAR_INTERVAL',
      `the interval is ${intervalMs / 1_000} s, 1 s to 1 day can be replayed`,
      'give the interval, or aggregate the readings first',
    )
  }
  const decimalComma = delimiter === ';' && hasDecimalComma(rows, time.value.index)
  const columns = chooseColumns(header, rows, decimalComma, time.value, options)
  if (!columns.ok) return columns
  return accept({ delimiter, decimalComma, time: time.value, intervalMs, ...columns.value })
}

const chooseColumns = (
  header: readonly string[],
  rows: readonly FileRow[],
  decimalComma: boolean,
  time: TimeColumn,
  { columns: wanted, unit }: InspectOptions,
): Result<Pick<FilePlan, 'columns' | 'others'>, InspectRefusal> => {
  const numeric = numericColumns(
    header,
    rows.map(({ cells }) => cells),
    decimalComma,
  ).filter(({ index }) => index !== time.index)
  const absent = wanted?.find((name) => !header.includes(name))
  if (absent !== undefined) {
    return refuse('NO_SUCH_COLUMN', `there is no column ${absent}`, `the columns are ${header.join(', ')}`)
  }
  const taken =
    wanted === undefined
      ? loadColumns(numeric)
      : wanted.map(
          (name) =>
            numeric.find((column) => column.name === name) ?? {
              index: header.indexOf(name),
              name,
              unit: null,
            },
        )
  if (taken.length === 0) {
    return refuse(
      'NO_NUMERIC_COLUMNS',
      `no column of ${header.join(', ')} holds numbers`,
      'name the columns with readings, and check the decimal sign',
    )
  }
  return accept({
    columns: taken.map((column) => ({
      ...column,
      unit: unit ?? column.unit,
      meter: (column.name || `column ${column.index + 1}`).slice(0, limits.nameLengthMax),
    })),
    others: numeric
      .filter(({ index }) => taken.every((each) => each.index !== index))
      .map(({ name }) => name),
  })
}

const hasDecimalComma = (rows: readonly FileRow[], timeIndex: number): boolean =>
  rows.some(({ cells }) =>
    cells.some((cell, index) => index !== timeIndex && /^\s*[+-]?\d+,\d+\s*$/.test(cell)),
  )
