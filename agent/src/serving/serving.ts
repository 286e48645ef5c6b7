/** The models that answer now, as the other rooms see them: load, try, activate, ask. */

import type { Contract } from '@imlma/protocol/manifest'

/** Names one loaded version; the digest is what was verified. */
export interface ModelIdentity {
  readonly model: string
  readonly version: number
  readonly sha256: string
}

/** A loaded session. It is not served before it is activated, and closes after its last run once replaced. */
export interface LoadedModel extends ModelIdentity {
  readonly contract: Contract
  /** The baseline in the place of a released version, by whose contract it is asked. */
  readonly isSubstitute?: boolean
  /**
   * `features`: rows × F, row-major, raw units; not to be changed before the answer. Returns rows × H, in `into` (of
   * exactly that length) where it is given: many rows again and again then leave no garbage. Throws `Failure` RUN_FAILED.
   * `quantilesInto`, only where the contract has quantiles, receives them: rows × Q × H.
   */
  readonly run: (
    features: Float32Array,
    rows: number,
    into?: Float32Array,
    quantilesInto?: Float32Array,
  ) => Promise<Float32Array>
  readonly close: () => Promise<void>
}

/** Who made an answer: a version, or the baseline (version 0) where no version could. */
export type Maker =
  | { readonly kind: 'model'; readonly version: number; readonly sha256: string }
  | { readonly kind: 'baseline'; readonly version: 0 }

/** `values`: rows × H. Quantiles that nobody could make are no numbers. */
export interface Answered {
  readonly values: Float32Array
  readonly madeBy: Maker
}

/** One run that answered a forecast or a request (not golden vectors, not warm-up). */
export interface RunObservation extends ModelIdentity {
  readonly rows: number
  readonly durationMs: number
  readonly outcome: 'answered' | 'failed' | 'not-finite'
}

export interface Serving {
  /** Loads by path and holds names, types and shapes of the file against the contract. Throws `Failure` LOAD_FAILED, CONTRACT_MISMATCH. */
  readonly load: (path: string, identity: ModelIdentity, contract: Contract) => Promise<LoadedModel>
  /** From now on this one answers for its model; requests under way end on the old one, which then closes. */
  readonly activate: (loaded: LoadedModel) => void
  /** Stops answering for a model: nothing verified is left. */
  readonly deactivate: (model: string) => void
  /** Answers where the active version does not, as the champion does for a version on probation; nothing: nobody does. */
  readonly standIn: (model: string, loaded: LoadedModel | undefined) => void
  readonly active: (model: string) => LoadedModel | undefined
  readonly onRun: (listener: (observation: RunObservation) => void) => () => void
  readonly close: () => Promise<void>
}
