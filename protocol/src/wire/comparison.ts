/**
 * A challenger in shadow beside the champion, as sums over exactly the same pairs: forecasts of both for the same
 * meter, target time and step ahead, against the same actual. Sums are those of one window and add up over windows and
 * agents, by (agent, model, champion, challenger, day): single errors never leave the gateway.
 */

import { z } from 'zod'
import { limits } from '../limits.ts'
import { epochMsSchema, nameSchema, sha256Schema } from './header.ts'

const count = z.number().int().min(0)

/** Σ (forecast − actual)² and Σ |forecast − actual|. */
const lossesSchema = z.object({ squared: z.number().min(0), absolute: z.number().min(0) })

const comparedDaySchema = z.object({
  /** Start of the UTC day in which the forecast times lie: days are what a test may treat as independent. */
  day: epochMsSchema,
  /** Pairs in which both forecasts are numbers; all sums below are over these. */
  count,
  /** Pairs in which the challenger ran and gave no number: an infinite loss, which no sum can carry. */
  failures: count,
  champion: lossesSchema,
  challenger: lossesSchema,
  /** Σ actual and Σ actual²: with the squared errors they give R² of both. */
  actual: z.object({ sum: z.number(), squared: z.number().min(0) }),
})
export type ComparedDay = z.infer<typeof comparedDaySchema>

export const comparisonSchema = z.object({
  model: nameSchema,
  champion: z.number().int().min(1),
  challenger: z.number().int().min(1),
  challengerSha256: sha256Schema,
  days: z.array(comparedDaySchema).min(1).max(limits.comparedDaysMax),
})
export type Comparison = z.infer<typeof comparisonSchema>
