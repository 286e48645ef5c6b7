/** What this room needs of whoever runs the models: load, try, activate, listen. */

import type { Contract } from '@imlma/protocol/manifest'

export interface SessionIdentity {
  readonly model: string
  readonly version: number
  readonly sha256: string
}

export interface Session extends SessionIdentity {
  readonly contract: Contract
  /** `features`: rows × F, row-major, raw units. Returns rows × H. Throws `Failure` RUN_FAILED. */
  readonly run: (features: Float32Array, rows: number) => Promise<Float32Array>
  readonly close: () => Promise<void>
}

export interface SessionRun extends SessionIdentity {
  readonly outcome: 'answered' | 'failed' | 'not-finite'
}

export interface Serving {
  /** Throws `Failure` LOAD_FAILED, CONTRACT_MISMATCH. */
  readonly load: (path: string, identity: SessionIdentity, contract: Contract) => Promise<Session>
  /** From now on this one answers; the one before is closed after its last run. */
  readonly activate: (session: Session) => void
  readonly deactivate: (model: string) => void
  readonly onRun: (listener: (run: SessionRun) => void) => () => void
}
