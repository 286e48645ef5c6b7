/** Readings on their way into the store, as the rooms around see it. */

import type { Address } from '@imlma/protocol/wire'
import type { Failure } from '@imlma/protocol/result'
import type { ReadingsStore } from '../storage/readings.ts'
import type { OnRefused, VerifyBatchSignature } from './signatures.ts'

export interface IngestParts {
  readonly store: ReadingsStore
  /** Sends an `ack` to an agent. A failure is counted: the agent's next birth or batch brings another one. */
  readonly publishAck: (agent: Address, payload: Uint8Array) => Promise<void>
  /** Epoch milliseconds. */
  readonly now: () => number
  /** In a certified site: only what it verifies is stored as readings. Left out, every batch is taken as it comes. */
  readonly verifySignature?: VerifyBatchSignature
  readonly onRefused?: OnRefused
  /** The store failed; readings are not acknowledged until `onRecovered`. Once per outage. */
  readonly onFailure?: (failure: Failure) => void
  /** The store takes readings again: those that were not acknowledged may be asked for. */
  readonly onRecovered?: () => void
}

export interface IngestOptions {
  /** Event time may be this far ahead of our clock. A day covers every time zone; `Infinity` for a simulated clock. */
  readonly futureMsMax?: number
  /** Pause between two folds while there is nothing to fold. */
  readonly foldIntervalMs?: number
  /** Pause before the store is tried again after it failed. */
  readonly retryDelayMs?: number
}

export interface IngestCounters {
  /** Batches stored for the first time, and the readings in them. */
  readonly accepted: number
  readonly readings: number
  readonly duplicates: number
  /** Batches by code, since the start of the process. */
  readonly quarantined: Readonly<Record<string, number>>
  /** Batches that could not be stored, and folds that failed. */
  readonly notStored: number
  readonly foldsFailed: number
  readonly acksFailed: number
  /** True while the store refuses. */
  readonly failing: boolean
}

export interface Ingest {
  /** Resolves when the readings are on disk or in quarantine; rejects with a `Failure` when they are not. */
  readonly onReadings: (agent: Address, payload: Uint8Array) => Promise<void>
  /** An agent that is there is told what is stored: an empty one learns where its numbering continues. */
  readonly onPresence: (agent: Address, payload: Uint8Array) => void
  readonly start: () => void
  /** Stores what has arrived and stops folding; the next start goes on there. */
  readonly stop: () => void
  readonly counters: () => IngestCounters
}
