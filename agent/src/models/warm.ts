/** Is a loaded session the model that was signed, and is it fast enough for this gateway? Before any traffic. */

import { checkGolden, toGoldenVectors, type Manifest } from '@imlma/protocol/manifest'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import type { Session } from './serving.ts'

export interface WarmOptions {
  /** Runs whose time does not count: the first one is many times slower than later ones. */
  readonly warmUpRuns?: number
  /** Single-row runs that are timed. */
  readonly timedRuns?: number
  /** Series of timed runs, as long as none is within the budget. */
  readonly timedSeriesMax?: number
}

export type WarmRefusal = 'GOLDEN_MISMATCH' | 'MALFORMED' | 'LOAD_FAILED' | 'LATENCY'

/** Runs every golden vector, one row each, with its quantiles where some were signed. */
export const proveGolden = async (
  session: Session,
  manifest: Manifest,
): Promise<Result<void, WarmRefusal>> => {
  const vectors = toGoldenVectors(manifest)
  if (!vectors.ok) return vectors
  const { tolerance } = manifest.golden
  for (const { input, output, quantiles } of vectors.value) {
    // What is not written stays no number, and matches nothing.
    const ranges = quantiles && new Float32Array(quantiles.length).fill(Number.NaN)
    const answer = await runOne(session, input, ranges)
    if (!answer.ok) return answer
    const matches = checkGolden(output, answer.value, tolerance)
    if (!matches.ok) return matches
    if (quantiles === undefined || ranges === undefined) continue
    const agree = checkGolden(quantiles, ranges, tolerance)
    if (!agree.ok) return refuse(agree.refusal.code, `quantiles: ${agree.refusal.message}`)
  }
  return accept(undefined)
}

/**
 * p99 of single-row runs against the signed budget, in milliseconds. `now`: a monotonic clock. The best series counts: a
 * gateway that was busy with something else for a moment must not condemn a version for good, and a slow one is slow in all.
 */
export const proveLatency = async (
  session: Session,
  manifest: Manifest,
  now: () => number,
  { warmUpRuns = 5, timedRuns = 50, timedSeriesMax = 3 }: WarmOptions = {},
): Promise<Result<void, WarmRefusal>> => {
  const vectors = toGoldenVectors(manifest)
  if (!vectors.ok) return vectors
  const inputs = vectors.value.map(({ input }) => input)
  const warmedUp = await timeRuns(session, inputs, warmUpRuns, now)
  if (!warmedUp.ok) return warmedUp
  const budget = manifest.reference.latencyMsBudget
  let best = Infinity
  for (let series = 0; series < timedSeriesMax && !(best <= budget); series += 1) {
    const durationsMs = await timeRuns(session, inputs, timedRuns, now)
    if (!durationsMs.ok) return durationsMs
    best = Math.min(best, quantile(durationsMs.value, 0.99))
  }
  return best <= budget
    ? accept(undefined)
    : refuse('LATENCY', `p99 of ${timedRuns} runs is ${best.toFixed(2)} ms, the budget is ${budget} ms`)
}

const timeRuns = async (
  session: Session,
  inputs: readonly Float32Array[],
  runs: number,
  now: () => number,
): Promise<Result<readonly number[], WarmRefusal>> => {
  const durationsMs: number[] = []
  for (let run = 0; run < runs; run += 1) {
    const startedAt = now()
    const answer = await runOne(session, inputs[run % inputs.length] as Float32Array)
    if (!answer.ok) return answer
    durationsMs.push(now() - startedAt)
  }
  return accept(durationsMs)
}

/** The smallest value that at least `share` of the values do not exceed (nearest rank). */
const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}

const runOne = async (
  session: Session,
  input: Float32Array,
  quantilesInto?: Float32Array,
): Promise<Result<Float32Array, 'LOAD_FAILED'>> => {
  try {
    return accept(await session.run(input, 1, undefined, quantilesInto))
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause
    return refuse('LOAD_FAILED', `it loads and does not run: ${cause.message}`)
  }
}
