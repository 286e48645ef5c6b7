/** What the rest of the control centre asks of the registry: append facts, look at what follows from them. */

import type { Result } from '@imlma/protocol/result'
import type { ChainedEvent, DatasetRecord, Decision, RegistryEvent, shadowEnds, Trigger } from './events.ts'

/** A version as it follows from its events; fields are null until their event has happened. */
export interface VersionRecord {
  readonly model: string
  readonly version: number
  readonly run: string
  readonly parent: number | null
  readonly createdAt: number
  readonly trigger: Trigger
  readonly dataset: DatasetRecord
  readonly learner: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly codeVersion: string
  readonly study: string | null
  readonly rows: number
  readonly trainSeconds: number
  readonly artifact: { readonly sha256: string; readonly bytes: number }
  readonly decision: Decision | null
  readonly release: number | null
  readonly keyid: string | null
  readonly envelopeSha256: string | null
  readonly state: 'trained' | 'promoted' | 'rejected' | 'inconclusive'
  /** Its time beside a champion; null for a version that never was in shadow. */
  readonly shadow: Shadow | null
  readonly deployments: readonly Deployment[]
  readonly delayMs: Extract<RegistryEvent, { kind: 'run-completed' }>['delayMs'] | null
}

export interface Shadow {
  /** The champion that it is compared with. */
  readonly champion: number
  readonly release: number
  readonly keyid: string
  readonly envelopeSha256: string
  readonly startedAt: number
  /** Null while it lasts. */
  readonly ended: {
    readonly at: number
    readonly reason: (typeof shadowEnds)[number]
    readonly evidence: Trigger['evidence']
  } | null
}

/** Latest known outcome of a version on an agent. */
export interface Deployment {
  readonly agent: string
  readonly state: 'committed' | 'refused' | 'rolled-back'
  readonly reason: string | null
  readonly detail: string
  readonly at: number
}

export interface ChainFault {
  readonly seq: number
  readonly message: string
}

export interface Registry {
  /** Durable on return, with its projections, in one transaction. Events of one call stay together. */
  readonly append: (events: readonly RegistryEvent[], at: number) => Promise<readonly ChainedEvent[]>
  /** Oldest first, from `seq` (inclusive) on. */
  readonly events: (options: { fromSeq?: number; limit?: number }) => Promise<readonly ChainedEvent[]>
  /** Newest first. */
  readonly latestEvents: (limit: number) => Promise<readonly ChainedEvent[]>
  readonly versions: (model: string) => Promise<readonly VersionRecord[]>
  readonly version: (model: string, version: number) => Promise<VersionRecord | undefined>
  /** The latest promoted version that was signed: what may serve. */
  readonly champion: (model: string) => Promise<VersionRecord | undefined>
  /** The version that is in shadow now. */
  readonly shadow: (model: string) => Promise<VersionRecord | undefined>
  /**
   * Every fact of the model's latest run, oldest first, with those of its version; empty before the first. Of a run that
   * a shadow's proof opened again, those from then on.
   */
  readonly runEvents: (model: string) => Promise<readonly ChainedEvent[]>
  /** Highest version and release numbers given out so far; 0 before the first. */
  readonly numbers: (model: string) => Promise<{ version: number; release: number }>
  /** Recomputes the whole chain and holds the projections and the stored head against it. */
  readonly verify: () => Promise<Result<{ events: number; headHash: string }, 'CHAIN_BROKEN'>>
  /** Called after each commit, in order; the returned function ends it. */
  readonly subscribe: (listener: (event: ChainedEvent) => void) => () => void
  readonly close: () => Promise<void>
}
