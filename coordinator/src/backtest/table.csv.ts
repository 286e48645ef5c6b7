/** A comma-separated file as columns: numbers, or words that become one column each. Says where a value is wrong. */
import { readFile, stat } from 'node:fs/promises'
import { CsvError, parse } from 'csv-parse/sync'
import { Failure } from '@imlma/protocol/result'

export interface NumberColumn {
  readonly name: string
  /** One per row; NaN where the field is empty. */
  readonly values: Float64Array
}

export interface Table {
  readonly rows: number
  /** Throws `Failure` NO_COLUMN. */
  readonly words: (column: string) => readonly string[]
  /** Throws `Failure` NO_COLUMN, BAD_VALUE. */
  readonly numbers: (column: string) => NumberColumn
  /** A column of numbers as it is, one of words as a column of 0 and 1 per word, in alphabetical order. */
  readonly expanded: (column: string) => readonly NumberColumn[]
}

const fileBytesMax = 512 * 2 ** 20

/** Different words in a column above which it is no category. */
const wordsMax = 48

/** Throws `Failure` NO_DATA, BAD_CSV. */
export const readTable = async (path: string): Promise<Table> => {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new Failure('NO_DATA', `cannot read ${path}`, { cause, hint: 'check "data" in the task' })
  })
  if (size > fileBytesMax) {
    throw new Failure('NO_DATA', `${path} is larger than ${fileBytesMax} bytes`, {
      hint: 'cut it down to the columns and the years that the task needs',
    })
  }
  const [head = [], ...lines] = parseRows(await readFile(path, 'utf8'), path)
  if (lines.length === 0) {
    throw new Failure('BAD_CSV', `${path} has no rows`, {
      hint: 'a head line and at least one row are needed',
    })
  }
  const words = (column: string): readonly string[] => {
    const index = head.indexOf(column)
    if (index < 0) {
      throw new Failure('NO_COLUMN', `${path} has no column ${column}`, { hint: `it has ${head.join(', ')}` })
    }
    return lines.map((line) => line[index] as string)
  }
  const numbers = (column: string): NumberColumn => ({
    name: column,
    values: Float64Array.from(words(column), (word, row) => {
      const value = toNumber(word)
      if (value !== undefined) return value
      throw new Failure('BAD_VALUE', `line ${row + 2}, column ${column}: "${word}" is no number`, {
        hint: 'correct the line, or leave the field empty where the value is missing',
      })
    }),
  })
  return {
    rows: lines.length,
    words,
    numbers,
    expanded: (column) => {
      const list = words(column)
      const first = list.find((word) => word !== '')
      return first === undefined || toNumber(first) !== undefined
        ? [numbers(column)]
        : categoriesOf(column, list)
    },
  }
}

const toNumber = (word: string): number | undefined => {
  if (word === '') return Number.NaN
  const value = Number(word)
  return Number.isFinite(value) ? value : word === 'NaN' ? Number.NaN : undefined
}

const categoriesOf = (column: string, words: readonly string[]): readonly NumberColumn[] => {
  const categories = [...new Set(words)].toSorted()
  if (categories.length > wordsMax) {
    throw new Failure('BAD_VALUE', `column ${column} has ${categories.length} different words`, {
      hint: `a column of words may have ${wordsMax}; leave it out of the covariates`,
    })
  }
  return categories.map((category) => ({
    name: `${column} = ${category}`,
    values: Float64Array.from(words, (word) => (word === category ? 1 : 0)),
  }))
}

const parseRows = (text: string, path: string): string[][] => {
  try {
    return parse(text, { bom: true, trim: true, skip_empty_lines: true })
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    throw new Failure('BAD_CSV', `${path}: ${cause.message}`, {
      cause,
      hint: 'every line needs as many fields as the head line',
    })
  }
}
