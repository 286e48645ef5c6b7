/**
 * Forecasts with a range: the probabilities of a model's quantiles (0.1: one actual in ten lies below), and the second
 * output that holds them, [batch, Q, H] beside the forecast's [batch, H].
 */

import { z } from 'zod'
import { limits } from '../limits.ts'

/** Ascending; none means a forecast without a range. */
export const quantilesSchema = z
  .array(z.number().gt(0).lt(1))
  .max(limits.quantilesMax)
  .refine((list) => list.every((one, i) => i === 0 || one > (list[i - 1] as number)), 'ascending')

/** What of a contract is about outputs. */
interface Outputs {
  readonly horizon: number
  readonly outputs: readonly { readonly name: string; readonly shape: readonly (number | null)[] }[]
  readonly quantiles?: readonly number[] | undefined
}

/** The probabilities of a model's second output; empty where it has none. */
export const quantilesOf = ({ quantiles }: Pick<Outputs, 'quantiles'>): readonly number[] => quantiles ?? []

/** The name a person knows a quantile by: 0.1 is `p10`, 0.025 is `p2.5`. */
export const quantileName = (probability: number): string => `p${Number((probability * 100).toPrecision(6))}`

/** The forecast first, then the quantiles where there are any: do the signed outputs have the shapes that follow from the rest? */
export const outputsAgree = (contract: Outputs): boolean => {
  const { outputs, horizon } = contract
  const count = quantilesOf(contract).length
  const wanted =
    count === 0
      ? [[null, horizon]]
      : [
          [null, horizon],
          [null, count, horizon],
        ]
  return (
    outputs.length === wanted.length &&
    outputs.every(({ shape }, i) => shape.join() === wanted[i]?.join()) &&
    new Set(outputs.map(({ name }) => name)).size === outputs.length
  )
}
