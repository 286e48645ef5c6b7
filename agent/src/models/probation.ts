/**
 * Does a challenger that answers stay well, beside the champion that it replaced? It has to answer a number of runs, through
 * a number of hours of readings; then it is committed, unless one of these speaks against it:
 *
 *   CRASHED    a run failed
 *   ACCURACY   an answer was not finite; its errors are above the champion's on the same intervals; its forecasts leave the
 *              range that its training knew, where the champion's do not
 *   LATENCY    more than half of its runs take longer than was signed
 *
 * Nobody outside this gateway is asked: what it decides here, it decides in a valley without a line.
 */

import type { Manifest } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { Serving, Session, SessionIdentity, SessionRun } from './serving.ts'
import type { TrialEvidence, Trials } from './trials.ts'

export interface ProbationOptions {
  /** Answered runs that it takes. */
  readonly probationRuns?: number
  /** Milliseconds of readings that it takes, from the first origin that it forecast. */
  readonly probationEventMs?: number
  /**
   * Milliseconds of this gateway's time after which the probation ends with what was seen: forecasts may be minutes apart,
   * and readings may stay away altogether.
   */
  readonly probationMs?: number
  /** Largest MAE and RMSE against the champion's; one of them within it is enough. */
  readonly probationErrorRatioMax?: number
}

export type ProbationRefusal = 'CRASHED' | 'ACCURACY' | 'LATENCY'

interface Parts {
  readonly serving: Pick<Serving, 'onRun'>
  readonly trials?: Trials | undefined
  /** Resolves after `ms`, or when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

interface Terms {
  readonly challenger: SessionIdentity
  /** Loaded and ready to take over; undefined where there is none. */
  readonly champion: Session | undefined
  readonly reference: Pick<Manifest['reference'], 'inputs' | 'latencyMsBudget'>
}

/** Ends as soon as it is decided; the signal ends it early, and what it says then is too late. */
export const watchProbation = async (
  { serving, trials, wait }: Parts,
  { challenger, champion, reference }: Terms,
  signal: AbortSignal,
  options: ProbationOptions = {},
): Promise<Result<void, ProbationRefusal>> => {
  const { probationMs = defaults.probationMs } = options
  const over = new AbortController()
  const ends = AbortSignal.any([signal, over.signal])
  const runs: RunCounts = { answered: 0, slow: 0 }
  let evidence: TrialEvidence | undefined
  let verdict: Verdict
  const decide = (found: Verdict): void => {
    verdict ??= found
    if (verdict !== undefined) over.abort()
  }
  const stopListening = serving.onRun((run) => {
    if (ends.aborted || run.model !== challenger.model || run.sha256 !== challenger.sha256) return
    decide(countRun(runs, run, reference.latencyMsBudget))
    decide(judge(runs, evidence, options))
  })
  const endTrial = trials?.begin({ challenger, champion, range: rangeOf(reference.inputs) }, (found) => {
    if (ends.aborted) return
    evidence = found
    decide(judge(runs, evidence, options))
  })
  await wait(probationMs, ends)
  stopListening()
  endTrial?.()
  return verdict ?? disproof(evidence, options) ?? accept(undefined)
}

const defaults = { probationRuns: 3, probationEventMs: 0, probationMs: 1_500, probationErrorRatioMax: 1.2 }

type Verdict = Result<void, ProbationRefusal> | undefined

interface RunCounts {
  answered: number
  slow: number
}

/** Runs below which more than half of them are a matter of chance. */
const timedRunsMin = 5

const countRun = (
  counts: RunCounts,
  { outcome, rows, durationMs }: SessionRun,
  budgetMs: number,
): Verdict => {
  if (outcome === 'failed') return refuse('CRASHED', 'a run failed on probation')
  if (outcome === 'not-finite') return refuse('ACCURACY', 'a forecast was not finite on probation')
  counts.answered += 1
  // What was signed is the time of one row: a thousand in one run take less than a thousand times as long.
  if (durationMs > budgetMs * rows) counts.slow += 1
  const isSlow = counts.answered >= timedRunsMin && counts.slow * 2 > counts.answered
  return isSlow
    ? refuse('LATENCY', `${counts.slow} of ${counts.answered} runs took more than ${budgetMs} ms a row`)
    : undefined
}

/** Decides where enough was seen, or where nothing more is needed to see that it does not do. */
const judge = (
  { answered }: RunCounts,
  evidence: TrialEvidence | undefined,
  options: ProbationOptions,
): Verdict => {
  const { probationRuns = defaults.probationRuns, probationEventMs = defaults.probationEventMs } = options
  const isThrough = answered >= probationRuns && (evidence?.eventMs ?? 0) >= probationEventMs
  return isThrough
    ? (disproof(evidence, options) ?? accept(undefined))
    : disproof(evidence, options, hopeless)
}

/** Pairs of forecast and actual below which a difference is a matter of chance: a day of quarter hours of one meter. */
const pairsMin = 96
/** As many times the allowed error ratio end a probation before its time. */
const hopeless = 2

/** What speaks against it so far, if anything does. */
const disproof = (
  evidence: TrialEvidence | undefined,
  { probationErrorRatioMax = defaults.probationErrorRatioMax }: ProbationOptions,
  patience = 1,
): (Result<void, ProbationRefusal> & { readonly ok: false }) | undefined => {
  if (evidence === undefined) return undefined
  const { pairs, challenger, champion } = evidence
  const { values, outside, championValues, championOutside } = evidence
  const limit = probationErrorRatioMax * patience
  const mae = challenger.absolute / champion.absolute
  const rmse = Math.sqrt(challenger.squared / champion.squared)
  if (pairs >= pairsMin && Math.min(mae, rmse) > limit) {
    return refuse(
      'ACCURACY',
      `over ${pairs} intervals its MAE is ${mae.toFixed(2)} and its RMSE ${rmse.toFixed(2)} times the champion's`,
    )
  }
  const share = outside / Math.max(1, values)
  const usual = championOutside / Math.max(1, championValues)
  // Where the champion's leave it too, it is the series that has moved.
  if (values < valuesMin || share <= outsideMax || share <= usual * 2) return undefined
  return refuse('ACCURACY', `${outside} of ${values} forecasts lie far outside what it was trained on`)
}

/** Forecast values below which their range says nothing, and the share of them that may lie outside. */
const valuesMin = 96
const outsideMax = 0.01

/**
 * What the series itself reached in training, with as much again on either side: beyond that a forecast is no forecast.
 * Undefined where no input of the model is a value of the series.
 */
const rangeOf = (inputs: Manifest['reference']['inputs']) => {
  const edges = Object.entries(inputs).flatMap(([name, { histogram }]) =>
    /^lag \d|^(step \d+ )?seasonal \d/.test(name) ? [histogram.edges] : [],
  )
  if (edges.length === 0) return undefined
  const low = Math.min(...edges.map((each) => each[0] as number))
  const high = Math.max(...edges.map((each) => each.at(-1) as number))
  return high > low ? { low: 2 * low - high, high: 2 * high - low } : undefined
}
