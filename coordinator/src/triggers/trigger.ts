/**
 * When is a model trained again? As soon as enough new readings are there or enough time has passed, whichever comes
 * first, or because a person asked or drift was seen; never while a training runs, never within the cool-down of
 * the last one, never on fewer readings than a training needs.
 *
 *   waiting ──look: fire──▶ (run starts) ──started──▶ waiting, counting from here
 *
 * Times are stored as they fall due, so an outage is followed by one training and not by all that were missed.
 * Whether a training runs is not stored here: the registry's facts say so.
 */

import type { Trigger } from '../registry/events.ts'
import { toProgress, type TriggerProgress } from './progress.ts'
import type { TriggerLook, TriggerOptions, TriggerState } from './trigger-state.ts'

export const waitReasons = [
  'RUNNING',
  'READINGS_MISSING',
  'COOL_DOWN',
  'NO_NEW_READINGS',
  'BELOW_THRESHOLD',
] as const
export type WaitReason = (typeof waitReasons)[number]

/** `state` is what to keep in either case: a clock that was set back and an idle interval move the stored times. */
export type TriggerDecision =
  | {
      readonly fire: true
      readonly trigger: Trigger
      readonly state: TriggerState
      readonly progress: TriggerProgress
    }
  | {
      readonly fire: false
      readonly reason: WaitReason
      readonly state: TriggerState
      readonly progress: TriggerProgress
    }

/** Whether to train now, and why or why not. Changes nothing but times that no longer make sense. */
export const decideTrigger = (
  stored: TriggerState,
  look: TriggerLook,
  options: TriggerOptions,
): TriggerDecision => {
  const { now, filled } = look
  const state = restoreSense(stored, look, options)
  const progress = toProgress(state, look, options)
  const wait = (reason: WaitReason, kept = state): TriggerDecision => ({
    fire: false,
    reason,
    state: kept,
    progress: toProgress(kept, look, options),
  })
  if (look.running) return wait('RUNNING')
  if (filled < options.readingsMin) return wait('READINGS_MISSING')
  if (now < state.coolDownUntil) return wait('COOL_DOWN')
  const kind = kindOf(state, progress, now)
  if (kind !== undefined) {
    return { fire: true, trigger: toTrigger(kind, state, look, options), state, progress }
  }
  // The interval is over and nothing arrived: the same data would give the same model.
  if (now >= state.dueAt) return wait('NO_NEW_READINGS', { ...state, dueAt: now + options.intervalMs })
  return wait('BELOW_THRESHOLD')
}

/** Counts from this training on. The same trigger again (after a kill) changes nothing. */
export const startedBy = (state: TriggerState, trigger: Trigger, options: TriggerOptions): TriggerState => {
  if (state.lastTrainedAt === trigger.at) return state
  const { filled } = trigger.evidence
  return {
    lastTrainedAt: trigger.at,
    filledAtLastTraining: typeof filled === 'number' ? filled : state.filledAtLastTraining,
    dueAt: trigger.at + options.intervalMs,
    coolDownUntil: trigger.at + options.coolDownMs,
    manual: stillOpen(state.manual, trigger),
    drift: stillOpen(state.drift, trigger),
  }
}

/** A wish that came after the data was looked at is not answered by it. */
const stillOpen = <Request extends { at: number }>(
  request: Request | null,
  trigger: Trigger,
): Request | null => (request !== null && request.at > trigger.at ? request : null)

const kindOf = (
  { manual, drift, dueAt }: TriggerState,
  { readings, threshold }: TriggerProgress,
  now: number,
): Trigger['kind'] | undefined => {
  if (manual !== null) return 'manual'
  if (drift !== null) return 'drift'
  if (readings >= threshold) return 'volume'
  return now >= dueAt && readings > 0 ? 'interval' : undefined
}

const toTrigger = (
  kind: Trigger['kind'],
  state: TriggerState,
  { now, filled, lookedAt = now }: TriggerLook,
  options: TriggerOptions,
): Trigger => {
  const requested = kind === 'manual' ? state.manual : kind === 'drift' ? state.drift : null
  // The earliest moment at which it may have been allowed; the rest is what detection cost.
  const since = requested?.at ?? (kind === 'interval' ? state.dueAt : lookedAt)
  return {
    kind,
    at: now,
    evidence: {
      readingsSince: filled - state.filledAtLastTraining,
      threshold: options.volume,
      filled,
      readingsMin: options.readingsMin,
      elapsedMs: state.lastTrainedAt === null ? null : Math.max(0, now - state.lastTrainedAt),
      intervalMs: options.intervalMs,
      dueAt: state.dueAt,
      detectMs: Math.max(0, now - Math.max(since, state.coolDownUntil)),
      ...(requested === null ? {} : { requestedAt: requested.at, reason: requested.reason }),
    },
  }
}

/**
 * A clock that was set back leaves times far in the future; a store that was lost leaves a count above what is there.
 * Either would stop training for as long as the jump was wide.
 */
const restoreSense = (
  state: TriggerState,
  { now, filled }: TriggerLook,
  { intervalMs, coolDownMs }: TriggerOptions,
): TriggerState => ({
  ...state,
  filledAtLastTraining: Math.min(state.filledAtLastTraining, filled),
  dueAt: Math.min(state.dueAt, now + intervalMs),
  coolDownUntil: Math.min(state.coolDownUntil, now + coolDownMs),
})
