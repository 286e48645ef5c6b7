/** Paired sums of champion and challenger over a day, a block of days, or all of them. */

import { z } from 'zod'
import type { ComparedDay } from '@imlma/protocol/wire'
import type { DailyLosses } from '../gate/sequential.ts'

const count = z.number().int().min(0)
const lossesSchema = z.object({ squared: z.number().min(0), absolute: z.number().min(0) })

export const pairedSumsSchema = z.object({
  /** Pairs in which both forecasts are numbers; the sums are over these. */
  count,
  /** Pairs in which the challenger gave no number. */
  failures: count,
  champion: lossesSchema,
  challenger: lossesSchema,
  actual: z.object({ sum: z.number(), squared: z.number().min(0) }),
})
export type PairedSums = Readonly<z.infer<typeof pairedSumsSchema>>

export type Loss = keyof PairedSums['champion']

export const noPairs: PairedSums = {
  count: 0,
  failures: 0,
  champion: { squared: 0, absolute: 0 },
  challenger: { squared: 0, absolute: 0 },
  actual: { sum: 0, squared: 0 },
}

export const addPairs = (a: PairedSums, b: PairedSums | ComparedDay): PairedSums => ({
  count: a.count + b.count,
  failures: a.failures + b.failures,
  champion: addLosses(a.champion, b.champion),
  challenger: addLosses(a.challenger, b.challenger),
  actual: { sum: a.actual.sum + b.actual.sum, squared: a.actual.squared + b.actual.squared },
})

const addLosses = (a: PairedSums['champion'], b: PairedSums['champion']): PairedSums['champion'] => ({
  squared: a.squared + b.squared,
  absolute: a.absolute + b.absolute,
})

/** Mean losses of all meters together. A forecast that is no number is an infinite loss, however rare. */
export const meanLosses = (sums: PairedSums, loss: Loss): DailyLosses => ({
  champion: sums.champion[loss] / Math.max(1, sums.count),
  challenger: sums.failures > 0 ? Infinity : sums.challenger[loss] / sums.count,
})

export interface PairedMetrics {
  readonly mse: number | null
  readonly mae: number | null
  readonly r2: number | null
}

/** Null where it is no number: nothing was compared, the challenger failed, actuals that do not vary. */
export const pairedMetrics = (sums: PairedSums, side: 'champion' | 'challenger'): PairedMetrics => {
  if (sums.count === 0 || (side === 'challenger' && sums.failures > 0)) {
    return { mse: null, mae: null, r2: null }
  }
  const { squared, absolute } = sums[side]
  const spread = sums.actual.squared - sums.actual.sum ** 2 / sums.count
  // Below this share of their level the differences of equal numbers are rounding.
  const varies = spread > sums.actual.squared * 1e-12
  return { mse: squared / sums.count, mae: absolute / sums.count, r2: varies ? 1 - squared / spread : null }
}
