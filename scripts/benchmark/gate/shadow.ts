/** Realised losses by day, and what somebody would conclude who looks at an ordinary t-test every morning. */

import type { DailyLosses } from '@imlma/coordinator/gate'
import type { MeterErrors } from './simulation.ts'

/** Mean squared errors of each whole day. */
export const dailyLossesOf = (
  { champion, challenger }: MeterErrors,
  stepsPerDay: number,
): readonly DailyLosses[] => {
  const meanOf = (errors: Float64Array, day: number): number =>
    errors.subarray(day * stepsPerDay, (day + 1) * stepsPerDay).reduce((sum, error) => sum + error ** 2, 0) /
    stepsPerDay
  return Array.from({ length: champion.length / stepsPerDay }, (_, day) => ({
    champion: meanOf(champion, day),
    challenger: meanOf(challenger, day),
  }))
}

/** Days before the first look. */
const lookFrom = 7

/** Whether the mean difference is ever above 1.645 standard errors (one-sided 5 %) from the seventh day on. */
export const looksDailyByTTest = (days: readonly DailyLosses[]): boolean => {
  let [sum, squares] = [0, 0]
  return days.some(({ champion, challenger }, i) => {
    const difference = champion - challenger
    const n = i + 1
    sum += difference
    squares += difference ** 2
    const variance = (squares - (sum * sum) / n) / (n - 1)
    return n >= lookFrom && sum / n > 1.645 * Math.sqrt(variance / n)
  })
}
