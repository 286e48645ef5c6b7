/** Sends the log to the control centre, one page at a time, and only what is durable here: a power cut forks nothing. */

import {
  auditAckSchema,
  auditPageEntriesMax,
  type AuditEntry,
  type AuditHead,
  type AuditPage,
} from '@imlma/protocol/audit'
import { limits } from '@imlma/protocol/limits'
import { Failure } from '@imlma/protocol/result'
import { encodeJson, parseJsonMessage, protocolVersion } from '@imlma/protocol/wire'
import type { Link } from '../link/link.ts'
import type { AuditLog } from './log.ts'
import type { Recorder } from './recorder.ts'
import {
  afterAnswer,
  afterSent,
  beginUpload,
  hasMore,
  maySend,
  uploadDefaults,
  type UploadOptions,
} from './upload.ts'

export interface UploaderParts {
  readonly log: AuditLog
  readonly recorder: Pick<Recorder, 'onRecorded'>
  readonly link: Pick<Link, 'publish' | 'on' | 'onConnect' | 'connected'>
  readonly now: () => number
  /** The control centre holds everything up to here. */
  readonly onHeld?: (head: AuditHead) => void
  readonly onFailure: (cause: unknown) => void
}

export interface UploaderOptions extends Partial<UploadOptions> {
  /** Milliseconds in which entries gather for one page, and one `fsync`. */
  readonly gatherMs?: number
  /** The same where an entry matters now. */
  readonly urgentMs?: number
  /** Milliseconds after which the head is shown although nothing was recorded. */
  readonly showHeadMs?: number
}

/** Bytes of the entries of a page; the rest of a message is small. */
const pageBytesMax = limits.jsonBytesMax / 2

export const startUploader = (parts: UploaderParts, options: UploaderOptions = {}): { stop: () => void } => {
  const { log, recorder, link, now, onHeld = () => undefined, onFailure } = parts
  const { gatherMs = 5_000, urgentMs = 250, showHeadMs = 3_600_000 } = options
  const rules = { ...uploadDefaults, ...options }
  const clock = () => performance.now()
  let state = beginUpload
  let sentEnd: AuditHead | undefined
  let timer: NodeJS.Timeout | undefined
  let dueAt = Infinity
  let stopped = false

  /** Looks again after `ms`, or earlier where that was asked for before. */
  const wake = (ms: number): void => {
    const at = clock() + ms
    if (stopped || at >= dueAt) return
    clearTimeout(timer)
    dueAt = at
    timer = setTimeout(() => {
      dueAt = Infinity
      send().catch(failed)
    }, ms).unref()
  }

  const failed = (cause: unknown): void => {
    if (!(cause instanceof Failure && cause.retryable)) onFailure(cause)
  }

  const send = async (isShown = false): Promise<void> => {
    if (stopped || !link.connected() || !maySend(state, clock(), rules)) return wake(rules.answerMs)
    await log.sync()
    const head = log.syncedHead()
    if (!isShown && !hasMore(state, head)) return
    // Before anything was asked: a page of its own says where the log begins and ends.
    const behind = state.held
    const entries =
      behind === undefined || behind > head.seq ? [] : bounded(await log.read(behind, auditPageEntriesMax))
    const last = entries.at(-1)
    const page: AuditPage = {
      v: protocolVersion,
      log: log.name,
      base: log.base().head,
      baseCheckpoint: log.base().checkpoint,
      head,
      checkpoint: log.checkpoint(head, now()),
      entries: [...entries],
    }
    state = afterSent(state, clock())
    sentEnd = last === undefined ? head : { seq: last.seq, hash: last.hash }
    wake(rules.answerMs)
    await link.publish('audit', encodeJson(page))
  }

  const onAnswer = (payload: Uint8Array): void => {
    const ack = parseJsonMessage(auditAckSchema, payload, limits.jsonBytesMax)
    if (!ack.ok || ack.value.log !== log.name) return
    const { seq } = ack.value
    const isProgress = seq !== state.held
    state = afterAnswer(seq)
    if (sentEnd?.seq === seq) onHeld(sentEnd)
    // The same answer to the same page: not in a circle.
    if (hasMore(state, log.head())) wake(isProgress ? 0 : gatherMs)
  }

  const shown = setInterval(() => void send(true).catch(failed), showHeadMs).unref()
  const stops = [
    link.on('audit-ack', ({ payload }) => onAnswer(payload)),
    link.onConnect(() => {
      state = beginUpload
      wake(0)
    }),
    recorder.onRecorded((isUrgent) => wake(isUrgent ? urgentMs : gatherMs)),
    () => clearInterval(shown),
    () => clearTimeout(timer),
  ]
  if (link.connected()) wake(0)
  return {
    stop: () => {
      stopped = true
      for (const stop of stops) stop()
    },
  }
}

/** As many as fit a message; one at least. */
const bounded = (entries: readonly AuditEntry[]): readonly AuditEntry[] => {
  let bytes = 0
  const end = entries.findIndex((entry) => {
    bytes += JSON.stringify(entry).length
    return bytes > pageBytesMax
  })
  return end === -1 ? entries : entries.slice(0, Math.max(1, end))
}
