/**
 * One retraining, from its trigger to the version that the fleet serves, or to the reason why not.
 *
 *   waiting ─triggered▶ freezing ─frozen▶ training ─trained▶ gating ─promote▶ signing ─signed▶ assigning
 *      ▲                   │ failed          │ failed          │ reject,        │ failed         │ assigned
 *      │                   │                 │                 │ inconclusive   │                ▼
 *      └───────────────────┴─────────────────┴─────────────────┴────────────────┴────────── deploying
 *
 * There is no state besides the registry: `applyEvent` folds the run's events and `effectOf` says what is to be done
 * next. A control centre that was killed folds again and goes on with the very same effect; an event that was
 * appended is never produced twice, because its effect is no longer the next one.
 */

import type { DatasetRecord, Decision, RegistryEvent, Trigger } from '../registry/events.ts'

interface Started {
  readonly run: string
  readonly trigger: Trigger
}
interface Frozen extends Started {
  readonly dataset: DatasetRecord
}
type Trained = Extract<RegistryEvent, { kind: 'version-trained' }>
interface Candidate extends Frozen {
  readonly trained: Trained
}
interface Decided extends Candidate {
  readonly decision: Decision
}

export type Waiting = { readonly phase: 'waiting' }
export type Freezing = Started & { readonly phase: 'freezing' }
export type Training = Frozen & { readonly phase: 'training' }
export type Gating = Candidate & { readonly phase: 'gating' }
export type Signing = Decided & { readonly phase: 'signing' }
export type Assigning = Decided & { readonly phase: 'assigning'; readonly release: number }
export type Deploying = Decided & { readonly phase: 'deploying' }
/** Decided against: only the record of its update delay is missing. */
export type Closing = Decided & { readonly phase: 'closing' }
export type Run = Waiting | Freezing | Training | Gating | Signing | Assigning | Deploying | Closing

export type RunEffect =
  | { readonly kind: 'freeze'; readonly state: Freezing }
  | { readonly kind: 'train'; readonly state: Training }
  | { readonly kind: 'gate'; readonly state: Gating }
  | { readonly kind: 'sign'; readonly state: Signing }
  | { readonly kind: 'assign'; readonly state: Assigning }
  | { readonly kind: 'await-fleet'; readonly state: Deploying }
  | { readonly kind: 'close'; readonly state: Closing }

export const waiting: Waiting = { phase: 'waiting' }

/** The run after one more fact. Facts of other runs, or that do not follow from this phase, change nothing. */
export const applyEvent = (state: Run, event: RegistryEvent): Run => {
  if (state.phase === 'waiting') {
    return event.kind === 'retraining-triggered'
      ? { phase: 'freezing', run: event.run, trigger: event.trigger }
      : state
  }
  if ('run' in event && event.run !== state.run) return state
  if (event.kind === 'run-failed' || event.kind === 'run-completed') return waiting
  return advance(state, event)
}

/** What must be done next; running it again after a kill is safe. */
export const effectOf = (state: Run): RunEffect | undefined => {
  switch (state.phase) {
    case 'waiting':
      return undefined
    case 'freezing':
      return { kind: 'freeze', state }
    case 'training':
      return { kind: 'train', state }
    case 'gating':
      return { kind: 'gate', state }
    case 'signing':
      return { kind: 'sign', state }
    case 'assigning':
      return { kind: 'assign', state }
    case 'deploying':
      return { kind: 'await-fleet', state }
    case 'closing':
      return { kind: 'close', state }
  }
}

const advance = (state: Exclude<Run, Waiting>, event: RegistryEvent): Run => {
  if (state.phase === 'freezing' && event.kind === 'dataset-frozen') {
    return { ...state, phase: 'training', dataset: event.dataset }
  }
  if (state.phase === 'training' && event.kind === 'version-trained') {
    return { ...state, phase: 'gating', trained: event }
  }
  if (state.phase === 'gating' && event.kind === 'version-decided') {
    const phase = event.decision.verdict === 'promote' ? 'signing' : 'closing'
    return { ...state, phase, decision: event.decision }
  }
  if (state.phase === 'signing' && event.kind === 'version-signed' && isOf(state, event.version)) {
    return { ...state, phase: 'assigning', release: event.release }
  }
  if (state.phase === 'assigning' && event.kind === 'version-assigned' && isOf(state, event.version)) {
    const { release: _, ...decided } = state
    return { ...decided, phase: 'deploying' }
  }
  return state
}

const isOf = (state: Candidate, version: number): boolean => state.trained.version === version
