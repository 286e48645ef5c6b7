/** Reads a file of readings through once, so that what is wrong with it is said before anything starts. */

import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import type { FileInspection, FilePlan, FileRow, InspectOptions, InspectRefusal } from './file-plan.ts'
import { findDelimiter, planFile, sampleRows } from './inspect.ts'
import { createRowReader } from './row-reader.ts'
import { readHead, readRows } from './rows.csv.ts'

/** About a second for 100,000 rows; memory does not grow with the file. */
export const inspectFile = async (
  path: string,
  options: InspectOptions = {},
): Promise<Result<FileInspection, InspectRefusal>> => {
  try {
    const plan = await plannedFrom(path, options)
    return plan.ok ? await readThrough(path, plan.value) : plan
  } catch (cause) {
    if (cause instanceof Failure && (cause.code === 'FILE_UNREADABLE' || cause.code === 'NOT_CSV')) {
      return refuse(cause.code, cause.message, cause.hint)
    }
    throw cause
  }
}

const plannedFrom = async (
  path: string,
  options: InspectOptions,
): Promise<Result<FilePlan, InspectRefusal>> => {
  const delimiter = findDelimiter(await readHead(path), options)
  if (!delimiter.ok) return delimiter
  const sample: FileRow[] = []
  for await (const row of readRows(path, delimiter.value)) {
    sample.push(row)
    if (sample.length > sampleRows) break
  }
  const [header, ...rows] = sample
  return planFile(header?.cells ?? [], rows, delimiter.value, options)
}

const readThrough = async (path: string, plan: FilePlan): Promise<Result<FileInspection, InspectRefusal>> => {
  const reader = createRowReader(plan)
  let isHeader = true
  let firstAt: number | undefined
  let lastAt = 0
  for await (const row of readRows(path, plan.delimiter)) {
    if (isHeader) {
      isHeader = false
      continue
    }
    const slot = reader.read(row)
    if (!slot.ok) return slot
    firstAt ??= slot.value?.at
    lastAt = slot.value?.at ?? lastAt
  }
  if (firstAt === undefined)
    return refuse('EMPTY_FILE', 'the file has a header and no rows', 'add readings to it')
  return accept({ ...plan, path, counts: reader.counts(), missing: reader.missing(), firstAt, lastAt })
}
