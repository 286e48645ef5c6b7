/**
 * The readings of all agents: accepted batches as they came, and day blobs per series for everyone who reads.
 * Acceptance is durable on return; folding batches into day blobs follows shortly after and is repeatable.
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
}

export type Acceptance = Result<
  { readonly duplicate: boolean; readonly acknowledged: number },
  'SEQUENCE_CONFLICT'
>

export interface SeriesKey {
  readonly site: string
  readonly meter: string
  readonly register: string
  readonly intervalMs: number
}

export interface SeriesRecord extends SeriesKey {
  /** Agent whose batches carry it. */
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

export interface ReadingsStore {
  /** One transaction for all; one acceptance a batch, in order. Throws `Failure` NO_SPACE, STORE_FAILED. */
  readonly accept: (batches: readonly IncomingBatch[]) => readonly Acceptance[]
  readonly acknowledged: (site: string, agent: string) => number
  readonly coverage: () => readonly AgentCoverage[]
  /** Folds up to `limit` accepted batches into day blobs; returns how many it took. */
  readonly fold: (limit: number) => number
  /** Newly filled, verified, trainable slots of a register since the beginning: grows and never falls. */
  readonly filled: (site: string, register: string, intervalMs: number) => number
  readonly series: (filter: Partial<SeriesKey>) => readonly SeriesRecord[]
  /** `(end − start) / intervalMs` values from `start` on; NaN and quality 255 where there is none. */
  readonly read: (
    key: SeriesKey,
    start: number,
    end: number,
  ) => { readonly values: Float32Array; readonly quality: Uint8Array }
  readonly close: () => void
}
