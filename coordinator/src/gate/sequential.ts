/**
 * Is a challenger in shadow better after all? A test that may be looked at every day, for as long as wanted, without
 * its error rate growing: a bet against "no better than the champion" whose stake is never negative.
 *
 * Every day both models' realised losses on the same forecasts give a difference between −1 and 1,
 *
 *   x = (champion − challenger) / (champion + challenger), cut off at ±differenceMax,
 *
 * and a gambler who started with 1 multiplies what he has by 1 + stake · x. If the challenger is no better, x has no
 * positive mean given the past and the wealth is a supermartingale: by Ville's inequality it ever reaches 1/level with a
 * chance of at most `level`, on whatever day one looks. Nothing is assumed of distribution or variance. The wealth is
 * spread over stakes from small to large, so that small and large gains are both found. A second gambler bets on the
 * challenger being worse. Cutting off keeps one odd day from deciding and lets stakes be larger.
 * Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2024).
 *
 * The rule speaks of days given the days before: where forecasts made on one day are judged over the next ones, a
 * block must be longer than a day. Give realised losses by the day of their targets, or blocks longer than the horizon.
 */

import { invariant } from '@imlma/protocol/result'
import { z } from 'zod'

export interface SequentialOptions {
  /** Chance that a challenger which is no better is ever promoted, and one that is no worse ever rejected as worse. */
  readonly level: number
  /** Largest relative difference of one day that counts. */
  readonly differenceMax: number
  /** Number of different stakes. */
  readonly stakes: number
  /** Days after which a challenger without proof leaves the shadow. */
  readonly daysMax: number
}

export const sequentialDefaults: SequentialOptions = {
  // Half of the gate's: who passed neither there nor here has had two chances, 5 % together with the gate's own rate.
  level: 0.025,
  // One model's MSE two thirds above the other's; days of equal models differ by about half of that.
  differenceMax: 0.25,
  stakes: 15,
  // A gain that a quarter of a year does not show is not worth a second model on every gateway.
  daysMax: 90,
}

/** Mean losses of one day (or block of days) of both models on the same forecasts; Infinity for a forecast of NaN. */
export interface DailyLosses {
  readonly champion: number
  readonly challenger: number
}

/** Everything that is remembered, as JSON: logarithms of wealth by stake. */
export const sequentialStateSchema = z.object({
  v: z.literal(1),
  days: z.number().int().min(0),
  differenceSum: z.number(),
  better: z.array(z.number()).readonly(),
  worse: z.array(z.number()).readonly(),
  verdict: z.enum(['promote', 'reject', 'inconclusive']),
})
export type SequentialState = Readonly<z.infer<typeof sequentialStateSchema>>

export interface SequentialEvidence {
  readonly days: number
  /** Mean of the daily differences that counted; positive is better. */
  readonly meanDifference: number
  /** Wealth of the two gamblers: evidence against "no better" and against "no worse". */
  readonly better: number
  readonly worse: number
  /** Wealth at which a verdict falls. */
  readonly needed: number
}

export interface SequentialStep {
  readonly state: SequentialState
  readonly verdict: SequentialState['verdict']
  readonly evidence: SequentialEvidence
}

export interface SequentialTest {
  start(): SequentialState
  /** A verdict stands: further days change nothing. */
  step(state: SequentialState, day: DailyLosses): SequentialStep
  /** What the days so far have shown. */
  evidence(state: SequentialState): SequentialEvidence
}

export const createSequentialTest = (options: Partial<SequentialOptions> = {}): SequentialTest => {
  const { level, differenceMax, stakes, daysMax } = { ...sequentialDefaults, ...options }
  const stakeOf = Array.from({ length: stakes }, (_, i) => (i + 1) / (stakes + 1) / differenceMax)
  const needed = 1 / level

  const told = (state: SequentialState): SequentialStep => ({
    state,
    verdict: state.verdict,
    evidence: {
      days: state.days,
      meanDifference: state.days === 0 ? 0 : state.differenceSum / state.days,
      better: meanWealth(state.better),
      worse: meanWealth(state.worse),
      needed,
    },
  })

  const verdictOf = ({
    days,
    better,
    worse,
  }: Omit<SequentialState, 'verdict'>): SequentialState['verdict'] => {
    if (meanWealth(better) >= needed) return 'promote'
    return meanWealth(worse) >= needed || days >= daysMax ? 'reject' : 'inconclusive'
  }

  return {
    start: () => ({
      v: 1,
      days: 0,
      differenceSum: 0,
      better: stakeOf.map(() => 0),
      worse: stakeOf.map(() => 0),
      verdict: 'inconclusive',
    }),
    step: (state, day) => {
      invariant(state.better.length === stakes, 'a state is continued with the stakes it was begun with')
      if (state.verdict !== 'inconclusive') return told(state)
      const difference = Math.max(-differenceMax, Math.min(differenceMax, differenceOf(day)))
      const bet = (logs: readonly number[], gain: number): number[] =>
        logs.map((log, i) => log + Math.log1p((stakeOf[i] as number) * gain))
      const next = {
        v: 1 as const,
        days: state.days + 1,
        differenceSum: state.differenceSum + difference,
        better: bet(state.better, difference),
        worse: bet(state.worse, -difference),
      }
      return told({ ...next, verdict: verdictOf(next) })
    },
    evidence: (state) => told(state).evidence,
  }
}

const differenceOf = ({ champion, challenger }: DailyLosses): number => {
  invariant(champion >= 0 && challenger >= 0, 'a loss is a number and not negative')
  if (champion === challenger) return 0
  if (champion === Infinity || challenger === Infinity) return champion === Infinity ? 1 : -1
  return (champion - challenger) / (champion + challenger)
}

const meanWealth = (logs: readonly number[]): number =>
  logs.reduce((sum, log) => sum + Math.exp(log), 0) / logs.length
