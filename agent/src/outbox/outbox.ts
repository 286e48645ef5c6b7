/**
 * Store-and-forward: what is appended is on disk, stays there until the coordinator has it, and leaves in order.
 *
 *   source ──append──▶ batches on disk ──next──▶ link ──▶ coordinator ──ack──▶ acknowledge
 *
 * Batches leave in strictly ascending sequence, live ones behind the backlog that came before them: one order on
 * the wire is what makes one number per acknowledgement enough. How sequences are given is in `sequence.ts`, how
 * readings become batches in `batches.ts`; sending and sending again is the forwarder's work.
 */

import type { ReadingSeries } from '@imlma/protocol/wire'

/** How far a source has come: opaque to the outbox, stored in the transaction of the readings it stands for. */
export interface Cursor {
  readonly source: string
  readonly position: string
}

export interface AppendOptions {
  /** True for backlog that is older than live readings. */
  readonly historical: boolean
  readonly cursor?: Cursor
}

/** What was stored by one append. */
export interface Appended {
  readonly series: readonly ReadingSeries[]
  readonly historical: boolean
  /** Event time of the newest reading in it, UTC epoch milliseconds. */
  readonly latestAt: number
}

/** Someone who writes in the same transaction as the readings: both are there after a power cut, or neither. */
export interface AppendParticipant {
  readonly write: (series: readonly ReadingSeries[]) => void
  readonly committed: (appended: Appended) => void
  /** The transaction did not happen: what `write` changed in memory must go. */
  readonly rolledBack: () => void
}

/** A batch as it goes on the wire, CBOR of a `ReadingBatch`. */
export interface OutboundBatch {
  readonly seq: number
  readonly readings: number
  readonly packet: Uint8Array
}

/** The next batches above `after`, at most so many and so much; one batch at least, where there is one. */
export interface Window {
  readonly after: number
  readonly batchesMax: number
  readonly bytesMax: number
}

/** The numbers that `reported` shows; bytes as they lie on disk, `oldestAt` in real time. */
export interface Backlog {
  readonly batches: number
  readonly bytes: number
  readonly readings: number
  readonly dropped: number
  readonly oldestAt: number | null
}

export interface Acknowledgement {
  readonly removed: number
  /** The held batches have new sequences, all above those that they had. */
  readonly renumbered: boolean
}

export interface Outbox {
  /**
   * Durable on return, together with the cursor and with what the participants write. No readings and a cursor moves
   * the cursor alone. Drops the oldest batches where the quota asks for it.
   * Throws `Failure` NO_SPACE or STORE_FAILED (retryable: nothing was stored), STORE_CORRUPT (start the agent again).
   */
  readonly append: (series: readonly ReadingSeries[], options: AppendOptions) => void
  /** The stored position of a source; undefined where it never stored one. */
  readonly position: (source: string) => string | undefined
  /** Nothing while the numbering waits for the coordinator's first acknowledgement. */
  readonly next: (window: Window) => readonly OutboundBatch[]
  /** Everything up to and with `seq` is stored at the coordinator. The first one ever fixes the numbering. */
  readonly acknowledge: (seq: number) => Acknowledgement
  /** The sequence before the oldest batch held: where sending begins. undefined while unnumbered. */
  readonly acknowledged: () => number | undefined
  readonly backlog: () => Backlog
  readonly onAppend: (listener: (appended: Appended) => void) => () => void
}
