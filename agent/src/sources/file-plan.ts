/** What is said, and what is found out, about a file of readings. */

import type { NumericColumn } from './columns.ts'
import type { GridCounts } from './grid.ts'
import type { TimeFormat } from './time-format.ts'

export interface InspectOptions {
  readonly timeColumn?: string
  /** Columns to replay, by name. */
  readonly columns?: readonly string[]
  readonly intervalMs?: number
  /** Unit of every replayed column. */
  readonly unit?: string
  /** Local time minus UTC in minutes, for times without a zone. */
  readonly timeOffsetMinutes?: number
  readonly delimiter?: string
}

export interface TimeColumn {
  readonly index: number
  readonly name: string
  readonly format: TimeFormat
  /** Local time minus UTC, for formats without a zone. */
  readonly offsetMs: number
  /** The step that most rows make; undefined for a single row. */
  readonly intervalMs: number | undefined
}

export interface FileColumn extends NumericColumn {
  /** The column's name, as far as a meter's name may be long. */
  readonly meter: string
}

export interface FilePlan {
  readonly delimiter: string
  readonly decimalComma: boolean
  readonly time: TimeColumn
  readonly intervalMs: number
  readonly columns: readonly FileColumn[]
  /** Numeric columns that are not replayed. */
  readonly others: readonly string[]
}

/** What the whole file holds, row by row. */
export interface FileInspection extends FilePlan {
  readonly path: string
  readonly counts: GridCounts
  /** Cells without a value, of the replayed columns. */
  readonly missing: number
  readonly firstAt: number
  readonly lastAt: number
}

export type InspectRefusal =
  | 'FILE_UNREADABLE'
  | 'EMPTY_FILE'
  | 'NOT_CSV'
  | 'NO_TIME_COLUMN'
  | 'NO_NUMERIC_COLUMNS'
  | 'NO_SUCH_COLUMN'
  | 'DUPLICATE_COLUMN'
  | 'BAD_TIME'
  | 'BAD_NUMBER'
  | 'IRREGULAR_INTERVAL'

/** One row of a file, with the line it ends in. */
export interface FileRow {
  readonly line: number
  readonly cells: readonly string[]
}
