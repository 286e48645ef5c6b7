/** The files of a log as they lie there: segments by their first sequence, and the checkpoints of their ends. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import {
  auditEntrySchema,
  auditHeadOf,
  auditHeadSchema,
  emptyAuditHead,
  entryFault,
  type AuditEntry,
  type AuditHead,
} from '@imlma/protocol/audit'
import { sha256 } from '@imlma/protocol/node'
import { envelopeSchema } from '@imlma/protocol/trust'
import { nameSchema } from '@imlma/protocol/wire'
import type { LogBase } from './log.ts'

const nameFileSchema = z.object({
  v: z.literal(1),
  log: nameSchema,
  site: nameSchema,
  agent: nameSchema,
})
type NameFile = z.infer<typeof nameFileSchema>

const endSchema = z.object({
  v: z.literal(1),
  head: auditHeadSchema,
  checkpoint: envelopeSchema.nullable(),
})

export interface Segment {
  readonly path: string
  readonly firstSeq: number
  readonly lastSeq: number
  readonly bytes: number
}

export interface FoundLog {
  readonly base: LogBase
  readonly head: AuditHead
  /** Oldest first. */
  readonly segments: readonly Segment[]
  /** Bytes of a line that a power cut left half written, at the end of the last segment. */
  readonly tornBytes: number
  /** What is wrong; nothing behind it was looked at. */
  readonly fault: string | undefined
}

const digits = 16
const named = (seq: number): string => String(seq).padStart(digits, '0')

export const segmentPath = (folder: string, firstSeq: number): string =>
  join(folder, `${named(firstSeq)}.ndjson`)
export const endPath = (folder: string, lastSeq: number): string =>
  join(folder, `${named(lastSeq)}.checkpoint.json`)
export const namePath = (folder: string): string => join(folder, 'log.json')

export const toLine = (entry: AuditEntry): string => `${JSON.stringify(entry)}\n`
export const toEnd = (base: LogBase): string => `${JSON.stringify({ v: 1, ...base })}\n`

const sequencesOf = (folder: string, suffix: string): readonly number[] =>
  readdirSync(folder)
    .flatMap((name) => (name.endsWith(suffix) && /^\d{16}\./.test(name) ? Number(name.slice(0, digits)) : []))
    .toSorted((a, b) => a - b)

/** Last sequences that have a checkpoint of their own. */
export const endsIn = (folder: string): readonly number[] => sequencesOf(folder, '.checkpoint.json')

/** The log's name; undefined where there is none. Throws where the file is no such thing. */
export const readName = (folder: string): NameFile | undefined => {
  try {
    return nameFileSchema.parse(JSON.parse(readFileSync(namePath(folder), 'utf8')))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  }
}

/** Where a segment ended; undefined where its file is missing or is none. */
export const readEnd = (folder: string, lastSeq: number): LogBase | undefined => {
  try {
    const { head, checkpoint } = endSchema.parse(JSON.parse(readFileSync(endPath(folder, lastSeq), 'utf8')))
    return { head, checkpoint }
  } catch {
    return undefined
  }
}

/** Follows the whole chain on disk; `visit` sees every entry that holds. Changes nothing. */
export const followSegments = (folder: string, visit: (entry: AuditEntry) => void): FoundLog => {
  const firsts = sequencesOf(folder, '.ndjson')
  const first = firsts[0] ?? 1
  const base = first === 1 ? { head: emptyAuditHead, checkpoint: null } : readEnd(folder, first - 1)
  const segments: Segment[] = []
  let head = base?.head ?? emptyAuditHead
  const found = (fault?: string, tornBytes = 0): FoundLog => ({
    base: base ?? { head: emptyAuditHead, checkpoint: null },
    head,
    segments,
    tornBytes,
    fault,
  })
  if (base === undefined || base.head.seq !== first - 1)
    return found(`the checkpoint before entry ${first} is missing or is none`)
  for (const [index, firstSeq] of firsts.entries()) {
    const path = segmentPath(folder, firstSeq)
    if (firstSeq !== head.seq + 1) return found(`entries ${head.seq + 1} to ${firstSeq - 1} are missing`)
    const bytes = readFileSync(path)
    const end = bytes.lastIndexOf(0x0a) + 1
    for (const line of bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1)) {
      const entry = parseEntry(line)
      if (entry === undefined) return found(`the line behind entry ${head.seq} is no entry`)
      const fault = entryFault(head, entry, sha256)
      if (fault !== undefined) return found(fault)
      head = auditHeadOf(entry)
      visit(entry)
    }
    segments.push({ path, firstSeq, lastSeq: head.seq, bytes: end })
    const torn = bytes.byteLength - end
    if (torn > 0 && index < firsts.length - 1) return found(`the line behind entry ${head.seq} is no entry`)
    if (torn > 0) return found(undefined, torn)
  }
  return found()
}

export const parseEntry = (line: string): AuditEntry | undefined => {
  try {
    return auditEntrySchema.parse(JSON.parse(line))
  } catch {
    return undefined
  }
}
