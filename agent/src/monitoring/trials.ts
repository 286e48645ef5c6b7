/**
 * Runs a champion beside the challenger that answers in its place, and says how both did on the same intervals. It is the
 * comparison in shadow the other way round: who answers is on trial, and who runs beside it is the measure.
 *
 *   challenger's batch ─▶ champion, the same meters and origin ─▶ pairs ──interval closes──▶ sums ─▶ whoever judges
 */

import type { SessionIdentity } from '../models/serving.ts'
import type { Trial, TrialEvidence, Trials } from '../models/trials.ts'
import type { ClosedInterval, ForecastBatch } from '../serving/forecaster.ts'
import type { LoadedModel } from '../serving/serving.ts'
import type { PairedForecasts } from '../serving/shadow-runner.ts'
import { createComparisons, type Comparisons } from './comparisons.ts'

export interface ForecastTrials extends Trials {
  readonly onBatch: (batch: ForecastBatch) => void
  readonly onPaired: (paired: PairedForecasts) => void
  readonly onClosed: (closed: ClosedInterval) => void
}

interface Parts {
  /** What runs beside a challenger, kept like what is active. */
  readonly beside: {
    readonly activate: (champion: LoadedModel) => void
    readonly deactivate: (model: string) => void
  }
  /** Has the champion beside run what the challenger has just forecast. */
  readonly run: (batch: ForecastBatch) => void
  /** A stored reading; NaN where there is none. */
  readonly readActual: (meter: string, register: string, intervalMs: number, at: number) => number
}

interface Options {
  /** Pairs that may wait: a tenth of what a shadow may have, as a probation is over sooner. */
  readonly pairsMax?: number
}

type Sums = { -readonly [Figure in keyof TrialEvidence]: TrialEvidence[Figure] }

interface Running {
  readonly trial: Trial
  readonly listener: (evidence: TrialEvidence) => void
  readonly comparisons: Comparisons
  readonly sums: Sums
  firstOrigin: number | undefined
}

export const createTrials = (
  { beside, run, readActual }: Parts,
  { pairsMax = 50_000 }: Options = {},
): ForecastTrials => {
  const running = new Map<string, Running>()

  const of = ({ model, sha256 }: Pick<SessionIdentity, 'model' | 'sha256'>): Running | undefined => {
    const found = running.get(model)
    return found?.trial.challenger.sha256 === sha256 ? found : undefined
  }

  return {
    begin: (trial, listener) => {
      const { model } = trial.challenger
      const comparisons = createComparisons({ pairsMax })
      const begun: Running = { trial, listener, comparisons, sums: noEvidence(), firstOrigin: undefined }
      running.set(model, begun)
      // Whoever lent it closes it: it may be needed to take over.
      if (trial.champion) beside.activate({ ...trial.champion, close: async () => undefined })
      return () => {
        if (running.get(model) !== begun) return
        running.delete(model)
        if (trial.champion) beside.deactivate(model)
      }
    },
    onBatch: (batch) => {
      const found = of(batch)
      if (found === undefined) return
      found.firstOrigin ??= batch.origin
      found.sums.values += batch.values.length
      found.sums.outside += countOutside(batch.values, found.trial.range)
      if (found.trial.champion !== undefined) run(batch)
    },
    onPaired: (paired) => {
      const found = running.get(paired.model)
      if (found?.trial.champion?.sha256 !== paired.challenger.sha256) return
      found.sums.championValues += paired.challengerValues.length
      found.sums.championOutside += countOutside(paired.challengerValues, found.trial.range)
      found.comparisons.expect(paired)
    },
    onClosed: ({ model, register, intervalMs, end }) => {
      const found = running.get(model)
      if (found === undefined || found.firstOrigin === undefined) return
      found.comparisons.close(model, end, (meter, at) => readActual(meter, register, intervalMs, at))
      const { sums } = found
      sums.eventMs = Math.max(sums.eventMs, end - found.firstOrigin)
      // In a comparison the one beside is called the challenger.
      for (const { days } of found.comparisons.take()) {
        for (const { count, champion: answering, challenger: standing } of days) {
          sums.pairs += count
          sums.challenger = plus(sums.challenger, answering)
          sums.champion = plus(sums.champion, standing)
        }
      }
      found.listener({ ...sums })
    },
  }
}

const noEvidence = (): Sums => ({
  eventMs: 0,
  pairs: 0,
  challenger: { squared: 0, absolute: 0 },
  champion: { squared: 0, absolute: 0 },
  values: 0,
  outside: 0,
  championValues: 0,
  championOutside: 0,
})

const plus = (a: Sums['champion'], b: Sums['champion']): Sums['champion'] => ({
  squared: a.squared + b.squared,
  absolute: a.absolute + b.absolute,
})

const countOutside = (values: Float32Array, range: Trial['range']): number => {
  if (range === undefined) return 0
  let outside = 0
  for (const value of values) if (value < range.low || value > range.high) outside += 1
  return outside
}
