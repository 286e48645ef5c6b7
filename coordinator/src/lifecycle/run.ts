/**
 * One retraining, from its trigger to the version that the fleet serves, or to the reason why not.
 *
 *   waiting ─triggered▶ freezing ─frozen▶ training ─trained▶ gating ─promote▶ signing ─signed▶ assigning
 *      ▲                   │ failed          │ failed          │ reject,        │ failed         │ assigned
 *      │                   │                 │                 │ inconclusive   │                ▼
 *      └───────────────────┴─────────────────┴─────────────────┴────────────────┴────────── deploying
 *
 *   gating ─inconclusive, enters the shadow▶ shadowing ─shadow started▶ closing
 *   waiting ─shadow ended: promoted▶ confirming ─signed▶ assigning
 *
 * In shadow a run is over: the next training is not held up. A proof opens the run of its version again, at the
 * signature.
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
/** What a run is about once everything else is in the version's record. */
interface Versioned {
  readonly run: string
  readonly version: number
}

export type Waiting = { readonly phase: 'waiting' }
export type Freezing = Started & { readonly phase: 'freezing' }
export type Training = Frozen & { readonly phase: 'training' }
export type Gating = Candidate & { readonly phase: 'gating' }
export type Signing = Decided & { readonly phase: 'signing' }
/** Undecided: it is signed for the shadow, beside the champion. */
export type Shadowing = Decided & { readonly phase: 'shadowing' }
/** Proven in shadow: it is signed again, to answer. */
export type Confirming = Versioned & { readonly phase: 'confirming' }
export type Assigning = Versioned & { readonly phase: 'assigning' }
export type Deploying = Versioned & { readonly phase: 'deploying' }
/** Decided against, or in shadow: only the record of its update delay is missing. */
export type Closing = Versioned & { readonly phase: 'closing' }
export type Run =
  Waiting | Freezing | Training | Gating | Signing | Shadowing | Confirming | Assigning | Deploying | Closing

export type RunEffect =
  | { readonly kind: 'freeze'; readonly state: Freezing }
  | { readonly kind: 'train'; readonly state: Training }
  | { readonly kind: 'gate'; readonly state: Gating }
  | { readonly kind: 'sign'; readonly state: Signing }
  | { readonly kind: 'shadow'; readonly state: Shadowing }
  | { readonly kind: 'confirm'; readonly state: Confirming }
  | { readonly kind: 'assign'; readonly state: Assigning }
  | { readonly kind: 'await-fleet'; readonly state: Deploying }
  | { readonly kind: 'close'; readonly state: Closing }

export const waiting: Waiting = { phase: 'waiting' }

/** The run after one more fact. Facts of other runs, or that do not follow from this phase, change nothing. */
export const applyEvent = (state: Run, event: RegistryEvent): Run => {
  if (state.phase === 'waiting') {
    if (!opensRun(event)) return state
    return event.kind === 'retraining-triggered'
      ? { phase: 'freezing', run: event.run, trigger: event.trigger }
      : { phase: 'confirming', run: event.run, version: event.version }
  }
  if ('run' in event && event.run !== state.run) return state
  if (event.kind === 'run-failed' || event.kind === 'run-completed') return waiting
  return advance(state, event)
}

type Opening =
  Extract<RegistryEvent, { kind: 'retraining-triggered' }> | Extract<RegistryEvent, { kind: 'shadow-ended' }>

/** A trigger, or a proof in shadow: the first fact of everything that `applyEvent` takes part in. */
export const opensRun = (event: RegistryEvent): event is Opening =>
  event.kind === 'retraining-triggered' || (event.kind === 'shadow-ended' && event.reason === 'promoted')

/** The version that the run is about, as soon as there is one. */
export const versionOf = (state: Run): number | undefined => {
  if ('trained' in state) return state.trained.version
  return 'version' in state ? state.version : undefined
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
    case 'shadowing':
      return { kind: 'shadow', state }
    case 'confirming':
      return { kind: 'confirm', state }
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
    return decided(state, event.decision)
  }
  const { run } = state
  const version = versionOf(state)
  if (version === undefined || !('version' in event) || event.version !== version) return state
  if ((state.phase === 'signing' || state.phase === 'confirming') && event.kind === 'version-signed') {
    return { phase: 'assigning', run, version }
  }
  if (state.phase === 'shadowing' && event.kind === 'shadow-started') {
    return { phase: 'closing', run, version }
  }
  if (state.phase === 'assigning' && event.kind === 'version-assigned') {
    return { phase: 'deploying', run, version }
  }
  return state
}

const decided = (state: Gating, decision: Decision): Run => {
  if (decision.verdict === 'promote') return { ...state, phase: 'signing', decision }
  if (decision.shadow?.enters === true) return { ...state, phase: 'shadowing', decision }
  return { phase: 'closing', run: state.run, version: state.trained.version }
}
