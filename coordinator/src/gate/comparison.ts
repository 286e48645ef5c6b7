/** What the tests find in a contest, worked out once for all checks that read it. */

import { createRandom } from '../tuning/random.ts'
import { blockBootstrap, type BlockBootstrap } from './block-bootstrap.ts'
import { differenceInterval, relativeDieboldMariano, type DieboldMariano } from './diebold-mariano.ts'
import type { Contest } from './evaluation.ts'
import { daysIn, meanLosses, toLossSeries } from './loss-series.ts'
import type { GateOptions } from './options.ts'
import { resolutionOf } from './resolution.ts'
import { lookAtSlices, type Slice } from './slices.ts'

export interface LossComparison {
  readonly test: DieboldMariano
  readonly bootstrap: BlockBootstrap
  /** Mean losses over all rows. */
  readonly champion: number
  readonly challenger: number
  /** Relative reduction of the mean loss between its limits: the wider of the two methods' on each side. */
  readonly interval: readonly [number, number]
}

export interface Comparison {
  readonly squared: LossComparison
  readonly absolute: LossComparison
  readonly slices: readonly Slice[]
}

/** The rows of both are the same ones; resampling follows from their hash, so that a decision can be repeated. */
export const compare = (contest: Contest, options: GateOptions): Comparison => {
  const resolution = resolutionOf(contest, options.blockMs)
  const seed = seedOf(contest.challenger.rowsSha256)
  const look = (loss: 'squaredErrors' | 'absoluteErrors'): LossComparison => {
    const { champion, challenger, rows } = contest
    const losses = { origins: rows.origins, champion: champion[loss], challenger: challenger[loss] }
    const series = toLossSeries(losses, resolution.binMs)
    const means = meanLosses(series)
    const test = relativeDieboldMariano(series, resolution.bandwidth, daysIn(series))
    const { resamples, level: tail } = options
    const { blockBins } = resolution
    const bootstrap = blockBootstrap(series, { blockBins, resamples, tail }, createRandom(...seed))
    const [low, high] = differenceInterval(test, tail)
    return {
      test,
      bootstrap,
      champion: means.champion,
      challenger: means.challenger,
      interval: [
        Math.min(1 - Math.exp(-low), bootstrap.interval[0]),
        Math.max(1 - Math.exp(-high), bootstrap.interval[1]),
      ],
    }
  }
  return {
    squared: look('squaredErrors'),
    absolute: look('absoluteErrors'),
    slices: lookAtSlices(contest, options, resolution),
  }
}

/** 256 bits of a hash in hexadecimal as whole numbers; other names give fewer bits. */
const seedOf = (name: string): readonly number[] =>
  (name.match(/.{1,8}/g) ?? []).map((part) => {
    const value = Number.parseInt(part, 16)
    return Number.isNaN(value) ? 0 : value
  })
