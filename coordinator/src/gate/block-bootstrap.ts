/**
 * How sure is the relative gain when whole days are drawn again? Politis and Romano's circular block bootstrap (1992):
 * blocks keep what hangs together in time, and the circle gives every bin the same weight. It assumes neither a
 * distribution nor a variance formula and so fails in other places than the Diebold-Mariano test: both must agree.
 */

import type { Random } from '../tuning/random.ts'
import type { LossSeries } from './loss-series.ts'

export interface BlockBootstrap {
  /** 1 − challenger's / champion's mean loss. */
  readonly gain: number
  /** One-sided: share of the resamples in which the challenger is not better. */
  readonly p: number
  /** Gains that a share of `tail` of the resamples falls below and rises above. */
  readonly interval: readonly [number, number]
}

export interface BootstrapOptions {
  readonly blockBins: number
  readonly resamples: number
  readonly tail: number
}

/** The same series, options and state of `random` give the same result. Costs resamples × bins / blockBins. */
export const blockBootstrap = (
  { champion, challenger }: LossSeries,
  { blockBins, resamples, tail }: BootstrapOptions,
  random: Pick<Random, 'below'>,
): BlockBootstrap => {
  const bins = champion.length
  const block = Math.max(1, Math.min(Math.round(blockBins), bins))
  const sums = { champion: blockSums(champion, block), challenger: blockSums(challenger, block) }
  const draws = Math.ceil(bins / block)
  const gains = new Float64Array(resamples)
  let notBetter = 0
  for (let resample = 0; resample < resamples; resample++) {
    let [one, other] = [0, 0]
    for (let draw = 0; draw < draws; draw++) {
      const start = random.below(bins)
      one += sums.champion[start] as number
      other += sums.challenger[start] as number
    }
    gains[resample] = gainOf(one, other)
    // Written so that NaN is not better.
    if (!(other < one)) notBetter += 1
  }
  gains.sort()
  const cut = Math.floor(tail * (resamples + 1)) - 1
  return {
    gain: gainOf(total(champion), total(challenger)),
    p: (1 + notBetter) / (resamples + 1),
    interval: [gains[Math.max(0, cut)] as number, gains[resamples - 1 - Math.max(0, cut)] as number],
  }
}

/** 1 − challenger / champion; no gain where both make no error. */
export const gainOf = (champion: number, challenger: number): number =>
  champion === challenger ? 0 : 1 - challenger / champion

/** Per start: the sum over one block, round the end. */
const blockSums = (values: Float64Array, block: number): Float64Array => {
  const sums = new Float64Array(values.length)
  let sum = 0
  for (let i = 0; i < block; i++) sum += values[i] as number
  for (let start = 0; start < values.length; start++) {
    sums[start] = sum
    sum += (values[(start + block) % values.length] as number) - (values[start] as number)
  }
  return sums
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0)
