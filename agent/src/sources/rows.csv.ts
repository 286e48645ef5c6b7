/** The rows of a CSV file, one after another, with the lines they end in. csv-parse knows the syntax. */

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { CsvError, parse } from 'csv-parse'
import { Failure } from '@imlma/protocol/result'
import type { FileRow } from './file-plan.ts'

/** Bytes of one row: a file without line ends is none of ours. */
const rowBytesMax = 1_048_576

/** The first characters of a file, without a byte order mark. Throws `Failure` FILE_UNREADABLE. */
export const readHead = async (path: string): Promise<string> => {
  try {
    const file = await open(path)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(65_536), 0, 65_536, 0)
      return buffer.toString('utf8', 0, bytesRead).replace(/^\uFEFF/, '')
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw unreadable(cause)
  }
}

/** The header comes first. Throws `Failure` FILE_UNREADABLE, or NOT_CSV with the line. */
export async function* readRows(path: string, delimiter: string): AsyncGenerator<FileRow> {
  const file = createReadStream(path)
  const parser = parse({
    delimiter,
    bom: true,
    info: true,
    trim: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
    max_record_size: rowBytesMax,
  })
  // `pipe` does not hand on errors.
  file.on('error', (cause) => parser.destroy(unreadable(cause)))
  file.pipe(parser)
  let headerCells = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: string[]
      info: { lines: number }
    }>) {
      headerCells ||= record.length
      yield { line: info.lines, cells: record }
    }
  } catch (cause) {
    throw toFailure(cause, headerCells)
  } finally {
    file.destroy()
    parser.destroy()
  }
}

/** Without the path, as the refusals of what is in a file: who asked for the file names it. */
const unreadable = (cause: unknown): Failure =>
  new Failure('FILE_UNREADABLE', `cannot be read: ${reasonOf(cause)}`, {
    cause,
    hint: 'check the path, and that it is a file this user may read',
  })

const reasonOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)

const toFailure = (cause: unknown, headerCells: number): Failure => {
  if (cause instanceof Failure) return cause
  if (!(cause instanceof CsvError)) return new Failure('NOT_CSV', String(cause), { cause })
  // csv-parse counts the lines it has finished.
  const line = Number(cause['lines'] ?? 0)
  const cells = cause['record'] as unknown[] | undefined
  const message =
    cause.code === 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH' && cells !== undefined
      ? `line ${line}: ${cells.length} cells, the header has ${headerCells}`
      : `line ${line}: ${cause.message}`
  return new Failure('NOT_CSV', message, {
    cause,
    hint: 'every line has as many cells as the header, and quotes are closed',
  })
}
