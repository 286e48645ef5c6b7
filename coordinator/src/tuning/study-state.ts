/**
 * A study as it is stored: a plain value that says everything. What a study asks next follows from this value alone, so a
 * study that is taken up again after a crash goes on as if nothing had happened.
 */
import type { Configuration, SearchSpace } from './space.ts'

interface Measured {
  readonly value: number
  readonly seconds?: number
  /** Values at growing resources before the last: what a pruner compares later trials with. */
  readonly onTheWay?: readonly (readonly [resource: number, value: number])[]
}

/** How a trial ended. Lower values are better. */
export type Outcome =
  /** `seconds` is the time that the trial took; it counts where trial times differ much. */
  | ({ readonly kind: 'done' } & Measured)
  /** Stopped early by a pruner at its latest value, which is taken as no better than the median. */
  | ({ readonly kind: 'discarded' } & Measured)
  | { readonly kind: 'failed'; readonly reason: string }

export interface Trial {
  readonly number: number
  readonly configuration: Configuration
  /** What the trial was asked for. */
  readonly purpose: 'given' | 'start' | 'improve' | 'explore'
  /** Absent while the trial runs. */
  readonly outcome?: Outcome
}

/** A trial of another study that may say something about this one. */
export interface PastTrial {
  readonly configuration: Configuration
  readonly value: number
}

/** What the last fit found; the next one starts there. */
export interface SurrogateMemory {
  readonly power: number
  /** Power of the warp → hyper-parameters. */
  readonly hyper: readonly (readonly [power: number, hyper: readonly number[]])[]
  /** Hyper-parameters of the belief about trial times. */
  readonly secondsHyper?: readonly number[]
}

export interface StudyState {
  readonly format: 1
  readonly space: SearchSpace
  readonly seed: number
  /** Evenly spread trials before the surrogate is trusted. */
  readonly startTrials: number
  /** Tried before anything else, in order. */
  readonly given: readonly Configuration[]
  /** Trials of previous studies, one list a study, the latest study first. */
  readonly past: readonly (readonly PastTrial[])[]
  readonly trials: readonly Trial[]
  readonly memory?: SurrogateMemory
  /** Asks in a row whose expected gain was below the noise. */
  readonly quietAsks: number
}
