/** What a trigger remembers, what it is told to watch for, and what it sees. */

import { z } from 'zod'
import { epochMsSchema } from '@imlma/protocol/wire'

const requestSchema = z.object({ at: epochMsSchema, reason: z.string().max(500) })

export const triggerStateSchema = z.object({
  /** When the last training started; null before the first. */
  lastTrainedAt: epochMsSchema.nullable(),
  /** Verified readings at that time. */
  filledAtLastTraining: z.number().int().min(0),
  /** When the interval starts a training, whatever the readings. */
  dueAt: epochMsSchema,
  coolDownUntil: epochMsSchema,
  /** A person's wish or a drift alarm that waits until it is allowed. */
  manual: requestSchema.nullable(),
  drift: requestSchema.nullable(),
})
export type TriggerState = Readonly<z.infer<typeof triggerStateSchema>>

export interface TriggerOptions {
  /** New verified readings since the last training. */
  readonly volume: number
  readonly intervalMs: number
  /** Readings below which nothing is trained at all. */
  readonly readingsMin: number
  /** Shortest time between the starts of two trainings. */
  readonly coolDownMs: number
}

/** What is seen now. */
export interface TriggerLook {
  readonly now: number
  /** Verified, trainable readings ever. */
  readonly filled: number
  readonly running: boolean
  /** The look before this one: readings that arrived in between may have been enough any time since. */
  readonly lookedAt?: number
}

export const newTriggerState = (now: number, { intervalMs }: TriggerOptions): TriggerState => ({
  lastTrainedAt: null,
  filledAtLastTraining: 0,
  dueAt: now + intervalMs,
  coolDownUntil: 0,
  manual: null,
  drift: null,
})
