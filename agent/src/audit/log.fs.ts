/**
 * The log in a folder of segments. One `write` an entry and one `fsync` for many: what matters now asks for it, the rest
 * shares one now and then, which is what the flash of a gateway can stand for years.
 */

import { closeSync, fsync, fsyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import {
  auditHeadOf,
  chainEntry,
  sealCheckpoint,
  type AuditEntry,
  type AuditFact,
  type AuditHead,
} from '@imlma/protocol/audit'
import { sha256 } from '@imlma/protocol/node'
import type { Signer } from '@imlma/protocol/trust'
import { protocolVersion, type Address } from '@imlma/protocol/wire'
import { failed, failing, syncFolderNow, writeNow } from './durable.fs.ts'
import type { AuditLog, LogBase } from './log.ts'
import { openFolder } from './opening.fs.ts'
import {
  endPath,
  endsIn,
  parseEntry,
  readEnd,
  segmentPath,
  toEnd,
  toLine,
  type Segment,
} from './segments.fs.ts'

export interface AuditLogParts {
  readonly now: () => number
  /** Without one the log is chained all the same, and no place in it is signed. */
  readonly signer?: Signer | undefined
  /** The disk failed; what was to be written is counted. */
  readonly onFailure?: (cause: unknown) => void
}

export interface AuditLogOptions extends Address {
  readonly folder: string
  /** Bytes of all segments: two years of an ordinary gateway, a tenth of a percent of its flash. */
  readonly bytesMax?: number
  /** Bytes of one segment: what goes at once when the quota is reached, and what is read to send a page. */
  readonly segmentBytesMax?: number
  /** Milliseconds after which what was written is durable without being asked for. */
  readonly syncAfterMs?: number
}

const syncFile = promisify(fsync)

/** A log that cannot be believed any more is set aside, and a new one begins. Throws `Failure` AUDIT_FAILED. */
export const openAuditLog = (parts: AuditLogParts, options: AuditLogOptions): AuditLog => {
  const { now, signer, onFailure = () => undefined } = parts
  const { folder, site, agent, segmentBytesMax = 131_072, syncAfterMs = 30_000 } = options
  const bytesMax = Math.max(options.bytesMax ?? 2_097_152, 2 * segmentBytesMax)
  const { name, found, facts, set } = failing(folder, () => openFolder(options, now()))

  const checkpoint: AuditLog['checkpoint'] = (at, when) =>
    signer === undefined
      ? null
      : sealCheckpoint({ v: protocolVersion, site, agent, log: name, head: at, at: when }, signer)

  let base: LogBase = found.base
  let head: AuditHead = found.head
  let synced: AuditHead = head
  const closed: Segment[] = [...found.segments]
  const last = closed.pop()
  let current = {
    path: last?.path ?? segmentPath(folder, head.seq + 1),
    firstSeq: last?.firstSeq ?? head.seq + 1,
    bytes: last?.bytes ?? 0,
  }
  let file = failing(folder, () => openSync(current.path, 'a'))
  let missed = 0
  let timer: NodeJS.Timeout | undefined
  let syncing: Promise<void> = Promise.resolve()

  const write = (fact: AuditFact, at: number): AuditEntry => {
    const entry = chainEntry(head, fact, at, sha256)
    const line = Buffer.from(toLine(entry))
    try {
      if (writeSync(file, line) !== line.byteLength) throw new Error('a line was written in part')
    } catch (cause) {
      ftruncateSync(file, current.bytes) // half a line must not come before the next one
      throw cause
    }
    current.bytes += line.byteLength
    head = auditHeadOf(entry)
    return entry
  }

  /** The segment ends here: its end is signed, and the oldest go where there is no room. */
  const rotate = (): void => {
    fsyncSync(file)
    synced = head
    writeNow(endPath(folder, head.seq), toEnd({ head, checkpoint: checkpoint(head, now()) }))
    const next = segmentPath(folder, head.seq + 1)
    const opened = openSync(next, 'a')
    closeSync(file)
    file = opened
    closed.push({ ...current, lastSeq: head.seq })
    current = { path: next, firstSeq: head.seq + 1, bytes: 0 }
    syncFolderNow(folder)
    drop()
  }

  const drop = (): void => {
    const from = closed[0]?.firstSeq
    let to: number | undefined
    while (closed.reduce((sum, { bytes }) => sum + bytes, 0) > bytesMax - segmentBytesMax) {
      const oldest = closed.shift() as Segment
      to = oldest.lastSeq
      rmSync(oldest.path, { force: true })
    }
    if (from === undefined || to === undefined) return
    for (const seq of endsIn(folder)) if (seq < to) rmSync(endPath(folder, seq), { force: true })
    base = readEnd(folder, to) ?? base
    write({ kind: 'log', details: { code: 'DROPPED', from, to } }, now())
  }

  const later = (): void => {
    timer ??= setTimeout(() => void sync().catch(onFailure), syncAfterMs).unref()
  }

  const sync = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    syncing = syncing
      .catch(() => undefined)
      .then(async () => {
        const reached = head
        if (reached.seq === synced.seq) return
        await syncFile(file).catch((cause: unknown) => {
          // A segment that ended meanwhile was made durable as a whole, and its file is closed.
          if (synced.seq < reached.seq) throw failed(folder, cause)
        })
        if (reached.seq > synced.seq) synced = reached
      })
    return syncing
  }

  const append: AuditLog['append'] = (fact, at) => {
    try {
      if (missed > 0) {
        write({ kind: 'log', details: { code: 'NOT_WRITTEN', entries: missed } }, at)
        missed = 0
      }
      const entry = write(fact, at)
      later()
      if (current.bytes >= segmentBytesMax) rotateOrLater()
      return entry
    } catch (cause) {
      missed += 1
      onFailure(failed(folder, cause))
      return undefined
    }
  }

  /** What was appended stands, and the segment grows a little longer than it should. */
  const rotateOrLater = (): void => {
    try {
      rotate()
    } catch (cause) {
      onFailure(failed(folder, cause))
    }
  }

  const read: AuditLog['read'] = async (seq, limit) => {
    const entries: AuditEntry[] = []
    const segments = [...closed, { ...current, lastSeq: head.seq }]
    for (const segment of segments) {
      if (segment.lastSeq <= seq || entries.length >= limit) continue
      const text = await readFile(segment.path, 'utf8').catch((cause: unknown) => {
        throw failed(folder, cause)
      })
      for (const line of text.split('\n')) {
        const entry = line === '' ? undefined : parseEntry(line)
        if (entry === undefined || entry.seq <= seq || entry.seq > synced.seq) continue
        if (entries.length < limit) entries.push(entry)
      }
    }
    return entries
  }

  const log: AuditLog = {
    name,
    append,
    sync,
    head: () => head,
    syncedHead: () => synced,
    base: () => base,
    checkpoint,
    read,
    found: facts,
    close: async () => {
      await sync().catch(onFailure)
      clearTimeout(timer)
      closeSync(file)
    },
  }
  for (const fact of set) log.append(fact, now())
  return log
}
