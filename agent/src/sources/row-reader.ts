/** One row of a planned file as a slot and its values, or what is wrong with it and in which line. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { parseNumber } from './cells.ts'
import { createGrid, type GridCounts } from './grid.ts'
import type { FilePlan, FileRow, InspectRefusal } from './file-plan.ts'
import { parseTime } from './time-format.ts'

export interface SlotRow {
  readonly at: number
  /** One value a column of the plan; NaN is missing. */
  readonly values: readonly number[]
}

export interface RowReader {
  /** undefined for a row whose slot was there already. */
  readonly read: (row: FileRow) => Result<SlotRow | undefined, InspectRefusal>
  readonly counts: () => GridCounts
  readonly missing: () => number
}

export const createRowReader = (plan: FilePlan): RowReader => {
  const { time, columns, decimalComma, intervalMs } = plan
  const grid = createGrid({ intervalMs, offsetMs: time.offsetMs })
  let missing = 0
  return {
    counts: grid.counts,
    missing: () => missing,
    read: ({ line, cells }) => {
      const text = cells[time.index] ?? ''
      const parsed = parseTime(time.format, text, time.offsetMs)
      if (Number.isNaN(parsed)) {
        return refuse(
          'BAD_TIME',
          `line ${line}: ${JSON.stringify(text)} in ${time.name} is not a time (${time.format})`,
          'correct the line, or remove it',
        )
      }
      const placed = grid.place(parsed, line)
      if (!placed.ok) return placed
      if (placed.value === undefined) return accept(undefined)
      const values: number[] = []
      for (const { index, name } of columns) {
        const value = parseNumber(cells[index] ?? '', decimalComma)
        if (value === undefined) {
          return refuse(
            'BAD_NUMBER',
            `line ${line}: ${JSON.stringify(cells[index])} in ${name} is not a number`,
            'correct it, leave the cell empty where there is no reading, or replay other columns',
          )
        }
        if (Number.isNaN(value)) missing += 1
        values.push(value)
      }
      return accept({ at: placed.value, values })
    },
  }
}
