/** Everything the API, the page and `imlma` read of the control centre, and the few things they ask of it. */

import type { Result } from '@imlma/protocol/result'
import type { Envelope } from '@imlma/protocol/trust'
import type { ChainedEvent, DatasetRecord } from '../registry/events.ts'
import type {
  AgentView,
  AlertView,
  ChainView,
  ForecastsView,
  HealthView,
  ModelView,
  RegistrationView,
  RolloutView,
  RoundView,
  StudyView,
  VersionView,
} from './views.ts'

/** What has changed, for those who watch. `agent` and `model` carry the whole new state: the latest one wins. */
export type Change =
  | { readonly kind: 'audit'; readonly event: ChainedEvent }
  | { readonly kind: 'agent'; readonly agent: AgentView }
  | { readonly kind: 'model'; readonly model: ModelView }
  /** New samples of forecasts against actuals of this model. */
  | { readonly kind: 'forecasts'; readonly model: string }

export interface StoredArtifact {
  readonly bytes: number
  /** As it lies on disk; whoever uses it verifies the hash. */
  readonly stream: () => ReadableStream<Uint8Array>
}

/** A model that was made elsewhere asks to compete. */
export interface RegistrationRequest {
  /** SHA-256 of a file that was uploaded before. */
  readonly artifact: string
  /** The contract file, as it was sent. */
  readonly contract: unknown
  readonly note: string
  readonly by: string
}

export interface Control {
  readonly health: () => Promise<HealthView>
  readonly agents: () => Promise<readonly AgentView[]>
  readonly models: () => Promise<readonly ModelView[]>
  /** Oldest first; empty for a model without any. */
  readonly versions: (model: string) => Promise<readonly VersionView[]>
  readonly studies: (model: string) => Promise<readonly StudyView[]>
  readonly forecasts: (model: string, meter?: string) => Promise<ForecastsView>
  readonly dataset: (sha256: string) => Promise<DatasetRecord | undefined>
  readonly artifact: (sha256: string) => Promise<StoredArtifact | undefined>
  /** Latest first. */
  readonly rounds: (limit: number) => Promise<readonly RoundView[]>
  readonly rollouts: (limit: number) => Promise<readonly RolloutView[]>
  readonly alerts: (limit: number) => Promise<readonly AlertView[]>
  /** Oldest first, from `fromSeq` (inclusive) on. */
  readonly events: (options: { fromSeq: number; limit: number }) => Promise<readonly ChainedEvent[]>
  /** Latest first. */
  readonly latestEvents: (limit: number) => Promise<readonly ChainedEvent[]>
  readonly verifyChain: () => Promise<ChainView>
  /** Asks for a training now; single flight and the minimum of readings still hold. */
  readonly retrain: (model: string, reason: string) => Promise<Result<{ readonly run: string }>>
  /** Streams a file to disk under a byte bound; it counts only when it is what its SHA-256 says. */
  readonly upload: (
    sha256: string,
    content: AsyncIterable<Uint8Array>,
    /** Who sends it, for the registry. */
    by?: string,
  ) => Promise<Result<{ readonly bytes: number }>>
  /** Durable on return: the run that will decide about it, and how many runs of the model come before. */
  readonly register: (
    model: string,
    request: RegistrationRequest,
  ) => Promise<Result<{ readonly run: string; readonly waitsFor: number }>>
  /** Registrations whose run has not begun, first come first. */
  readonly registrations: (model: string) => Promise<readonly RegistrationView[]>
  /** The next trust root; the chain of signatures decides whether it counts. */
  readonly submitRoot: (envelope: Envelope) => Promise<Result<{ readonly version: number }>>
  /** A technician's signed order: held against the trust root, recorded, and published as it is. */
  readonly passOnCommand: (
    envelope: Envelope,
    by: string,
  ) => Promise<Result<{ readonly commandId: string; readonly agents: readonly string[] }>>
  /** Called in the order of the changes; the returned function ends it. */
  readonly subscribe: (listener: (change: Change) => void) => () => void
}
