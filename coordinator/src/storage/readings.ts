/**
 * The readings of all agents: accepted batches as they came, and packed blocks per series for everyone who reads.
 * Acceptance is durable on return; folding batches into blocks follows shortly after, exactly once each.
 */

import type { Result } from '@imlma/protocol/result'
import type { ReadingBatch } from '@imlma/protocol/wire'

export interface IncomingBatch {
  readonly site: string
  readonly agent: string
  readonly receivedAt: number
  /** As received: stored unchanged. */
  readonly bytes: Uint8Array
  readonly batch: ReadingBatch
  /** Present where the signature was verified; absent in an open site. */
  readonly proof?: BatchProof
}

/** By which key a batch was signed, and SHA-256 of its packet. */
export interface BatchProof {
  readonly keyid: string
  readonly digest: Uint8Array
}

/** The signed batches of one agent that are stored, in one digest (`signed-head.crypto.ts`). */
export interface SignedHistory {
  readonly batches: number
  /** Lowest and highest sequence. */
  readonly firstSeq: number
  readonly lastSeq: number
  /** In the order of their first batch. */
  readonly keyids: readonly string[]
  /** Hexadecimal. */
  readonly head: string
}

/** One signed batch; its bytes as they came until they are pruned. */
export interface SignedBatch extends BatchProof {
  /** Counted from 1 in the order of storing. */
  readonly position: number
  readonly seq: number
  readonly bytes: Uint8Array | null
}

/** What an agent sent that could not be taken, by code. */
export interface AgentRefusals {
  readonly site: string
  readonly agent: string
  readonly code: string
  readonly batches: number
  readonly lastAt: number
}

/**
 * `SEQUENCE_CONFLICT`: other readings are stored under this sequence; this batch is in quarantine.
 * `TOO_MANY_GAPS`: the agent leaves out too many sequences; it still holds the batch, as it is not acknowledged.
 */
export type AcceptanceRefusal = 'SEQUENCE_CONFLICT' | 'TOO_MANY_GAPS'

export type Acceptance = Result<
  { readonly duplicate: boolean; readonly acknowledged: number },
  AcceptanceRefusal
>

/** Something an agent sent as readings that cannot be taken as such. */
export interface QuarantinedBatch {
  readonly site: string
  readonly agent: string
  /** Where it could be read: the sequence counts as arrived, or the agent would send it for ever. */
  readonly seq: number | null
  readonly code: string
  readonly reason: string
  readonly receivedAt: number
  readonly bytes: Uint8Array
}

export interface SeriesKey {
  readonly site: string
  readonly meter: string
  readonly register: string
  readonly intervalMs: number
}

export interface SeriesRecord extends SeriesKey {
  /** Agent whose batches carry it; the latest one where it moved. */
  readonly agent: string
  /** First and last filled slot, UTC epoch ms. */
  readonly firstAt: number
  readonly lastAt: number
  readonly filled: number
}

export interface AgentCoverage {
  readonly site: string
  readonly agent: string
  /** Everything up to and with this sequence is stored, or is known to be lost. */
  readonly acknowledged: number
  readonly highest: number
  readonly lost: number
  readonly batches: number
}

/** What other processes may do with the readings: look. Sees what is folded, some hundred milliseconds late. */
export interface ReadingsReader {
  readonly coverage: () => readonly AgentCoverage[]
  /** Newly filled, verified, trainable slots of a register since the beginning: grows and never falls. */
  readonly filled: (site: string, register: string, intervalMs: number) => number
  readonly series: (filter: Partial<SeriesKey>) => readonly SeriesRecord[]
  /**
   * `(end − start) / intervalMs` values from `start` on; NaN and quality 255 where there is none. Both times are
   * multiples of the interval.
   */
  readonly read: (
    key: SeriesKey,
    start: number,
    end: number,
  ) => { readonly values: Float32Array; readonly quality: Uint8Array }
  /** How often each code was put in quarantine since the beginning. */
  readonly quarantined: () => Readonly<Record<string, number>>
  /** The same by agent, the latest first. */
  readonly refusals: () => readonly AgentRefusals[]
  /** Undefined where no signed batch of the agent was ever stored. */
  readonly signedHistory: (site: string, agent: string) => SignedHistory | undefined
  /** Signed batches of an agent behind a position, at most `limit`, in the order of storing. */
  readonly signedBatches: (
    site: string,
    agent: string,
    after: number,
    limit: number,
  ) => readonly SignedBatch[]
  readonly close: () => void
}

export interface ReadingsStore extends ReadingsReader {
  /** One transaction for all; one acceptance a batch, in order. Throws `Failure` NO_SPACE, STORE_FAILED. */
  readonly accept: (batches: readonly IncomingBatch[]) => readonly Acceptance[]
  /** Keeps the latest with their bytes, counts all. Throws as `accept` does. */
  readonly quarantine: (batches: readonly QuarantinedBatch[]) => void
  readonly acknowledged: (site: string, agent: string) => number
  /** Folds up to `limit` accepted batches into blocks; returns how many it took. Throws as `accept` does. */
  readonly fold: (limit: number) => number
}
