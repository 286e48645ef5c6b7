/**
 * What is sent next of the log? The control centre says what it has, and the agent goes on behind it: nothing is
 * remembered here that a restart on either side could make wrong.
 *
 *   connected ─▶ unknown ─probe▶ asked ─ack▶ known ─page▶ asked ─ack▶ known …
 */

import type { AuditHead } from '@imlma/protocol/audit'

export interface Uploading {
  /** What the control centre has said that it holds; undefined until it has said so on this connection. */
  readonly held: number | undefined
  /** A page is on its way since then, monotonic milliseconds; undefined when none is. */
  readonly askedAt: number | undefined
  /** Pages without an answer, one after the other. */
  readonly silent: number
}

export const beginUpload: Uploading = { held: undefined, askedAt: undefined, silent: 0 }

export interface UploadOptions {
  /** Milliseconds for an answer; doubled for every one that did not come. */
  readonly answerMs: number
  /** A control centre that keeps no logs is asked this rarely. */
  readonly answerMsMax: number
}

export const uploadDefaults: UploadOptions = { answerMs: 20_000, answerMsMax: 600_000 }

/** Whether a page may go now: none is on its way, or its answer is overdue. */
export const maySend = ({ askedAt, silent }: Uploading, now: number, options: UploadOptions): boolean =>
  askedAt === undefined || now - askedAt >= Math.min(options.answerMs * 2 ** silent, options.answerMsMax)

export const afterSent = (state: Uploading, now: number): Uploading => ({
  ...state,
  askedAt: now,
  silent: state.askedAt === undefined ? state.silent : state.silent + 1,
})

/** Above our own end: the log here is shorter than it was; it is shown as it is. */
export const afterAnswer = (seq: number): Uploading => ({ held: seq, askedAt: undefined, silent: 0 })

export const hasMore = ({ held }: Uploading, head: AuditHead): boolean =>
  held === undefined || held !== head.seq
