/** What this room needs of whoever runs the models: load, try, activate, listen. */

import type { Contract } from '@imlma/protocol/manifest'

export interface SessionIdentity {
  readonly model: string
  readonly version: number
  readonly sha256: string
}

export interface Session extends SessionIdentity {
  readonly contract: Contract
  /**
   * `features`: rows × F, row-major, raw units. Returns rows × H, in `into` where it is given; `quantilesInto`, only where
   * the contract has quantiles, receives rows × Q × H. Throws `Failure` RUN_FAILED.
   */
  readonly run: (
    features: Float32Array,
    rows: number,
    into?: Float32Array,
    quantilesInto?: Float32Array,
  ) => Promise<Float32Array>
  readonly close: () => Promise<void>
}

export interface SessionRun extends SessionIdentity {
  readonly rows: number
  readonly durationMs: number
  readonly outcome: 'answered' | 'failed' | 'not-finite'
}

/** What runs beside the champions and answers nobody. */
export interface ShadowServing {
  /** From now on this one runs beside its model's champion; the one before is closed after its last run. */
  readonly start: (session: Session) => void
  readonly stop: (model: string) => void
  readonly onRun: (listener: (run: SessionRun) => void) => () => void
}

export interface Serving {
  /** Throws `Failure` LOAD_FAILED, CONTRACT_MISMATCH. */
  readonly load: (path: string, identity: SessionIdentity, contract: Contract) => Promise<Session>
  /** From now on this one answers; the one before is closed after its last run. */
  readonly activate: (session: Session) => void
  readonly deactivate: (model: string) => void
  /** From now on this one answers where the active one fails; undefined: nobody does. What it replaces is closed. */
  readonly standIn?: (model: string, session: Session | undefined) => void
  readonly onRun: (listener: (run: SessionRun) => void) => () => void
  /** Told of every worker that was lost with a model in it. */
  readonly onLost?: (listener: (lost: LostSession) => void) => () => void
}

export interface LostSession extends SessionIdentity {
  readonly cause: 'hung' | 'memory' | 'crashed'
  readonly detail: string
  /** False where it ended while it waited for work: somebody else ended it. */
  readonly atWork: boolean
}
