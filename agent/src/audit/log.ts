/**
 * This agent's own record of what it did and what was done to it: chained, bounded, kept also while nobody listens.
 *
 *   record ─▶ append (written) ─▶ sync (durable) ─▶ read ─▶ uploader ─▶ control centre
 *
 * When the quota is reached the oldest segment goes, sent or not; a checkpoint of its end stays, so that what remains
 * still hangs on a place that this agent has signed.
 */

import type { AuditEntry, AuditFact, AuditHead } from '@imlma/protocol/audit'
import type { Envelope } from '@imlma/protocol/trust'

/** The place before the oldest entry that is held. */
export interface LogBase {
  readonly head: AuditHead
  /** Signed when the segment before it ended; null at the very beginning, and without a signing key. */
  readonly checkpoint: Envelope | null
}

export interface AuditLog {
  /** Its own name: another one with every log that begins at entry 1. */
  readonly name: string
  /**
   * Written, and durable with the next `sync`: a power cut may take what is younger, never leave half of it. Undefined
   * where the disk did not take it; how many were lost is the next entry that is written.
   */
  readonly append: (fact: AuditFact, at: number) => AuditEntry | undefined
  /** Everything appended before the call is durable. Throws `Failure` AUDIT_FAILED. */
  readonly sync: () => Promise<void>
  readonly head: () => AuditHead
  /** The last entry that is known to be durable. */
  readonly syncedHead: () => AuditHead
  readonly base: () => LogBase
  /** Signs where the log ends; null without a signing key. */
  readonly checkpoint: (head: AuditHead, at: number) => Envelope | null
  /** Durable entries behind `seq`, oldest first. Throws `Failure` AUDIT_FAILED. */
  readonly read: (seq: number, limit: number) => Promise<readonly AuditEntry[]>
  /** The latest facts that were found at the start, oldest first. */
  readonly found: readonly AuditFact[]
  readonly close: () => Promise<void>
}
