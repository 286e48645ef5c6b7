/**
 * Store-and-forward: what is appended is on disk, stays there until the coordinator has it, and leaves in order.
 *
 *   source ──append──▶ batches on disk ──next──▶ link ──▶ coordinator ──ack──▶ acknowledge
 *
 * Batches leave in ascending sequence, which they get when they leave: live ones first, the backlog beside them
 * (`lanes.ts`). How sequences are given is in `sequence.ts`, how readings become batches in `batches.ts`, what goes when
 * the quota is reached in `classes.ts`; sending and sending again is the forwarder's work.
 */

import type { ReadingSeries } from '@imlma/protocol/wire'
import type { DropClass } from './classes.ts'

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

/** The columns of one batch as they lie on disk (`payload.zlib.ts`). */
export interface StoredColumns {
  readonly bytes: Uint8Array
  readonly deflated: boolean
  /** CRC-32 of `bytes`: SQLite does not notice when a disk changes bits inside a value. */
  readonly crc32: number
}

/** Someone who writes in the same transaction as the readings: both are there after a power cut, or neither. */
export interface AppendParticipant {
  /** `stored`: the same readings as they were stored, batch by batch. */
  readonly write: (series: readonly ReadingSeries[], stored: readonly StoredColumns[]) => void
  readonly committed: (appended: Appended) => void
  /** The transaction did not happen: what `write` changed in memory must go. */
  readonly rolledBack: () => void
}

/** A batch as it goes on the wire, CBOR of a `ReadingBatch`. */
export interface OutboundBatch {
  readonly seq: number
  readonly readings: number
  /** Marked historical: it leaves beside live readings, within the bandwidth of the backlog. */
  readonly isBacklog: boolean
  readonly packet: Uint8Array
}

/** The next batches above `after`, at most so many and so much; one batch at least, where there is one. */
export interface Window {
  readonly after: number
  readonly batchesMax: number
  readonly bytesMax: number
  /** Batches of the backlog that may be without acknowledgement at a time; left out, as many as there is room for. */
  readonly backlogMax?: number
}

/** The numbers that `reported` shows; bytes as they lie on disk, `dropped` in readings, `oldestAt` in real time. */
export interface Backlog {
  readonly batches: number
  readonly bytes: number
  readonly readings: number
  readonly dropped: number
  /** The same by class; alarms are counted in alarms, and not in `dropped`. */
  readonly droppedByClass: Readonly<Record<DropClass, number>>
  readonly oldestAt: number | null
}

export interface Acknowledgement {
  readonly removed: number
  /** What had a sequence gets a new one, above all that were given before. */
  readonly renumbered: boolean
}

export interface Outbox {
  /**
   * Durable on return, together with the cursor and with what the participants write. No readings and a cursor moves
   * the cursor alone. Drops the oldest batches of the lowest class where the quota asks for it.
   * Throws `Failure` NO_SPACE or STORE_FAILED (retryable: nothing was stored), STORE_CORRUPT (start the agent again).
   */
  readonly append: (series: readonly ReadingSeries[], options: AppendOptions) => void
  /** The stored position of a source; undefined where it never stored one. */
  readonly position: (source: string) => string | undefined
  /**
   * Gives sequences to what may leave, durably, live readings first. Nothing while the numbering waits for the
   * coordinator's first acknowledgement.
   */
  readonly next: (window: Window) => readonly OutboundBatch[]
  /**
   * Everything up to and with `seq` is stored at the coordinator. The first one ever fixes the numbering. What it removes
   * is removed on disk with the next write: after a power cut some of it may be sent once more, under its sequence.
   */
  readonly acknowledge: (seq: number) => Acknowledgement
  /** The sequence before the oldest batch held: where sending begins. undefined while unnumbered. */
  readonly acknowledged: () => number | undefined
  /** Writes what an acknowledgement left to the next write. */
  readonly settle: () => void
  readonly backlog: () => Backlog
  readonly onAppend: (listener: (appended: Appended) => void) => () => void
}
