/** How far a model is from its next training, in numbers that people read. */

import type { TriggerLook, TriggerOptions, TriggerState } from './trigger-state.ts'

export interface TriggerProgress {
  /** New verified readings since the last training, and how many start the next one. */
  readonly readings: number
  readonly threshold: number
  /** Verified readings ever, and the least that a training needs. */
  readonly readingsTotal: number
  readonly readingsMin: number
  readonly dueAt: number
  readonly intervalMs: number
  readonly lastTrainingAt: number | null
  /** Nothing starts before; null when nothing cools down. */
  readonly coolDownUntil: number | null
}

export const toProgress = (
  { filledAtLastTraining, dueAt, lastTrainedAt, coolDownUntil }: TriggerState,
  { now, filled }: TriggerLook,
  { volume, intervalMs, readingsMin }: TriggerOptions,
): TriggerProgress => ({
  readings: Math.max(0, filled - filledAtLastTraining),
  threshold: volume,
  readingsTotal: filled,
  readingsMin,
  dueAt,
  intervalMs,
  lastTrainingAt: lastTrainedAt,
  coolDownUntil: coolDownUntil > now ? coolDownUntil : null,
})
