/** Is a loaded session the model that was signed, and is it fast enough for this gateway? Before any traffic. */

import { checkGolden, toGoldenVectors, type Manifest } from '@imlma/protocol/manifest'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import type { Session } from './serving.ts'

export interface WarmOptions {
  /** Runs whose time does not count: the first one is many times slower than later ones. */
  readonly warmUpRuns?: number
  /** Single-row runs that are timed. */
  readonly timedRuns?: number
}

export type WarmRefusal = 'GOLDEN_MISMATCH' | 'MALFORMED' | 'LOAD_FAILED' | 'LATENCY'

/** Runs every golden vector, one row each. */
export const proveGolden = async (
  session: Session,
  manifest: Manifest,
): Promise<Result<void, WarmRefusal>> => {
  const vectors = toGoldenVectors(manifest)
  if (!vectors.ok) return vectors
  for (const { input, output } of vectors.value) {
    const answer = await runOne(session, input)
    if (!answer.ok) return answer
    const matches = checkGolden(output, answer.value, manifest.golden.tolerance)
    if (!matches.ok) return matches
  }
  return accept(undefined)
}

/** p99 of single-row runs against the signed budget, in milliseconds. `now`: a monotonic clock. */
export const proveLatency = async (
  session: Session,
  manifest: Manifest,
  now: () => number,
  { warmUpRuns = 5, timedRuns = 50 }: WarmOptions = {},
): Promise<Result<void, WarmRefusal>> => {
  const vectors = toGoldenVectors(manifest)
  if (!vectors.ok) return vectors
  const durationsMs: number[] = []
  for (let run = 0; run < warmUpRuns + timedRuns; run += 1) {
    const { input } = vectors.value[run % vectors.value.length] as { input: Float32Array }
    const startedAt = now()
    const answer = await runOne(session, input)
    if (!answer.ok) return answer
    if (run >= warmUpRuns) durationsMs.push(now() - startedAt)
  }
  const p99 = quantile(durationsMs, 0.99)
  const budget = manifest.reference.latencyMsBudget
  return p99 <= budget
    ? accept(undefined)
    : refuse('LATENCY', `p99 of ${timedRuns} runs is ${p99.toFixed(2)} ms, the budget is ${budget} ms`)
}

/** The smallest value that at least `share` of the values do not exceed (nearest rank). */
const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}

const runOne = async (
  session: Session,
  input: Float32Array,
): Promise<Result<Float32Array, 'LOAD_FAILED'>> => {
  try {
    return accept(await session.run(input, 1))
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause
    return refuse('LOAD_FAILED', `it loads and does not run: ${cause.message}`)
  }
}
