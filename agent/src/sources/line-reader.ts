/** Lines of CSV or NDJSON as samples: the same for files and for standard input. */

import { toSamples, type DocumentMapping } from './intake/document.ts'
import type { Collector } from './intake/collector.timer.ts'
import type { Line } from './lines.ts'

export interface LineFormat {
  readonly format: 'csv' | 'ndjson'
  readonly delimiter?: string
  /** Names of the columns where the file has no header. */
  readonly header?: readonly string[]
}

export interface LineReader {
  /** A header names the columns; every file has its own. */
  readonly begin: (header: string | undefined) => void
  /** True as long as the next line is the header. */
  readonly wantsHeader: () => boolean
  readonly read: (line: Line, receivedAt: number) => void
}

export const createLineReader = (
  collector: Pick<Collector, 'take' | 'reject'>,
  { format, delimiter = ',', header: given }: LineFormat,
  mapping: DocumentMapping,
): LineReader => {
  let header: readonly string[] | undefined = given
  const cellsOf = (text: string): readonly string[] | undefined => splitCells(text, delimiter)

  const parse = (text: string): unknown => {
    if (format === 'ndjson') return parseJson(text)
    const cells = cellsOf(text)
    if (cells === undefined || header === undefined || cells.length !== header.length) return undefined
    // A cell without a value is a reading that is missing.
    return Object.fromEntries(header.map((name, i) => [name, cells[i] === '' ? null : cells[i]]))
  }

  return {
    begin: (text) => {
      header =
        given ??
        (text === undefined ? undefined : cellsOf(text.replace(/^\uFEFF/, ''))?.map((name) => name.trim()))
    },
    wantsHeader: () => format === 'csv' && header === undefined,
    read: ({ text, bytes }, receivedAt) => {
      if (text === undefined) {
        collector.reject('BAD_LINE', 'a line is too long, or no UTF-8', `${bytes} bytes`)
        return
      }
      if (text.trim() === '') return
      const document = parse(text)
      if (document === undefined) {
        collector.reject(
          format === 'csv' ? 'NOT_CSV' : 'NOT_JSON',
          format === 'csv' ? 'the line has not as many cells as the header' : 'the line is no JSON',
          text,
        )
        return
      }
      const { samples, refused } = toSamples(document, mapping, { receivedAt })
      collector.take(samples)
      for (const { code, message } of refused) collector.reject(code, message, text)
    },
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Cells of one line (RFC 4180, without line ends inside quotes); undefined where a quote is not closed. */
const splitCells = (text: string, delimiter: string): readonly string[] | undefined => {
  if (!text.includes('"')) return text.split(delimiter)
  const cells: string[] = []
  let cell = ''
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string
    if (quoted) {
      if (char !== '"') cell += char
      else if (text[i + 1] === '"') {
        cell += '"'
        i += 1
      } else quoted = false
    } else if (char === '"' && cell === '') quoted = true
    else if (char === delimiter) {
      cells.push(cell)
      cell = ''
    } else cell += char
  }
  if (quoted) return undefined
  return [...cells, cell]
}
