/**
 * Which columns of a file are replayed where nobody says so: loads, not what influences them.
 *
 * Of the numeric columns, those named like weather, calendar, prices or counters are left out, unless nothing would be
 * left. Where a column carries a unit of active energy or power in its name (`Usage_kWh`), only such columns are taken.
 */

import { isLoadUnit, parseNumber, unitOf } from './cells.ts'

/** A column that is numeric in the sample, but for mistakes. */
export interface NumericColumn {
  readonly index: number
  readonly name: string
  readonly unit: string | null
}

const influences =
  /temp|humid|wind|solar|irradi|cloud|rain|snow|dew|pressure|weather|holiday|weekend|workday|price|tariff/i
const counters = /^(?:unnamed.*|index|id|no|nr|row|year|month|week|day|hour|minute|weekday|dow|nsm|.*_id)$/i

const isLoadName = (name: string): boolean => name !== '' && !influences.test(name) && !counters.test(name)

/**
 * Share of cells that makes a column one of numbers. The few others are mistakes: the column is taken, and whoever
 * reads it through says in which line they are. Left out, it would be missed without a word.
 */
const numericShareMin = 0.9

/** Columns whose cells are numbers or missing in nearly every row, with one number at least. */
export const numericColumns = (
  header: readonly string[],
  rows: readonly (readonly string[])[],
  decimalComma: boolean,
): readonly NumericColumn[] =>
  header.flatMap((name, index) => {
    const values = rows.map((cells) => parseNumber(cells[index] ?? '', decimalComma))
    const given = values.filter((value) => !Number.isNaN(value))
    const numbers = given.filter((value) => value !== undefined)
    const isNumeric = numbers.length > 0 && numbers.length >= numericShareMin * given.length
    return isNumeric ? [{ index, name, unit: unitOf(name) }] : []
  })

export const loadColumns = (numeric: readonly NumericColumn[]): readonly NumericColumn[] => {
  const loads = numeric.filter(({ name }) => isLoadName(name))
  const measured = loads.filter(({ unit }) => isLoadUnit(unit))
  if (measured.length > 0) return measured
  return loads.length > 0 ? loads : numeric
}
