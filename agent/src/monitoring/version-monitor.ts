/** Everything that is watched of one version of one model, gathered window by window. */

import { createHistogramCounter, type HistogramCounter } from '@imlma/protocol/drift'
import type { FeatureBuilder } from '@imlma/protocol/features'
import type { Manifest } from '@imlma/protocol/manifest'
import { createErrorAccumulator } from '@imlma/protocol/metrics'
import type { VersionWindow } from '@imlma/protocol/wire'
import type { ForecastBatch } from '../serving/forecaster.ts'
import type { ModelIdentity, RunObservation } from '../serving/serving.ts'
import { createInputDrift, type InputDrift } from './input-drift.ts'
import type { LatencySketch } from './latency.sketches.ts'
import { createRealisedErrors, stepsWatched } from './realised-errors.ts'
import type { ReadActual, Realised, RealisedErrors } from './realised-errors.ts'

export interface VersionMonitor {
  readonly onRun: (observation: RunObservation) => void
  readonly onBatch: (batch: ForecastBatch) => void
  readonly onClosed: (end: number, read: ReadActual) => void
  /** What happened since the last call. */
  readonly takeWindow: () => VersionWindow
}

interface Parts {
  readonly createLatencySketch: () => LatencySketch
  /** What training saw, as signed; undefined where the manifest is not at hand. */
  readonly reference: Manifest['reference'] | undefined
}

interface Options {
  /** Meters whose forecasts are shown beside their actuals. */
  readonly sampledMetersMax?: number
  /** Samples of a window; the newest are kept. */
  readonly samplesMax?: number
}

export const createVersionMonitor = (
  { model, version }: ModelIdentity,
  { createLatencySketch, reference }: Parts,
  { sampledMetersMax = 3, samplesMax = 200 }: Options = {},
): VersionMonitor => {
  // Made with the first batch: only then the shape of the forecasts is known.
  let drift: InputDrift | undefined
  let realised: RealisedErrors | undefined
  let sampled: ReadonlySet<string> = new Set()

  let runs = 0
  let failures = 0
  let latency = createLatencySketch()
  let errors = createErrorAccumulator()
  let baseline = createErrorAccumulator()
  let residuals: HistogramCounter | undefined
  let samples: VersionWindow['samples'] = []
  let coverage = { inside: 0, count: 0 }
  const clear = (): void => {
    runs = 0
    failures = 0
    latency = createLatencySketch()
    errors = createErrorAccumulator()
    baseline = createErrorAccumulator()
    residuals = reference && createHistogramCounter(reference.residuals.histogram.edges)
    samples = []
    coverage = { inside: 0, count: 0 }
  }
  clear()

  const count = (pair: Realised): void => {
    errors.add(pair.forecast, pair.actual)
    baseline.add(pair.baseline, pair.actual)
    residuals?.add(pair.forecast - pair.actual)
    const { meter, at, step, forecast, actual, range } = pair
    if (range !== undefined) {
      coverage.count += 1
      if (range.low <= actual && actual <= range.high) coverage.inside += 1
    }
    if (!sampled.has(meter)) return
    samples.push({ meter, at, step, forecast, actual, ...range })
    if (samples.length > samplesMax) samples.shift()
  }

  return {
    onRun: ({ durationMs, outcome }) => {
      runs += 1
      if (outcome !== 'answered') failures += 1
      latency.add(durationMs)
    },
    onBatch: ({ builder, origin, meters, features, values, quantiles }) => {
      drift ??= createInputDrift({ reference: reference?.inputs ?? {}, columns: builder.names })
      drift.add(features, meters.length, origin)
      realised ??= createRealisedErrors(realisedOptionsOf(builder))
      realised.expect({ origin, meters, values, ...(quantiles && { quantiles }) })
      if (sampled.size === 0) sampled = new Set(meters.slice(0, sampledMetersMax))
    },
    onClosed: (end, read) => realised?.close(end, read, count),
    takeWindow: () => {
      const window: VersionWindow = {
        model,
        version,
        runs,
        failures,
        latencySketch: latency.bytes(),
        latencyMs: latency.percentiles(),
        errors: errors.sums(),
        baseline: baseline.sums(),
        // Not said by versions without quantiles.
        ...(coverage.count > 0 && { coverage }),
        inputs: toInputs(drift),
        residuals: toWireHistogram(residuals?.histogram()),
        samples,
      }
      clear()
      return window
    },
  }
}

const realisedOptionsOf = ({ spec: { intervalMs, horizon, seasonSteps } }: FeatureBuilder) => ({
  intervalMs,
  horizon,
  seasonSteps,
  steps: stepsWatched(intervalMs, horizon),
})

const toInputs = (drift: InputDrift | undefined): VersionWindow['inputs'] =>
  Object.fromEntries(
    Object.entries(drift?.takeWindow() ?? {}).map(([name, { histogram, verdict }]) => [
      name,
      {
        histogram: { edges: [...histogram.edges], counts: [...histogram.counts] },
        rows: verdict.rows,
        psi: verdict.psi,
        verdict: verdict.level,
      },
    ]),
  )

const toWireHistogram = (
  histogram: { readonly edges: readonly number[]; readonly counts: readonly number[] } | undefined,
): VersionWindow['residuals'] =>
  histogram === undefined ? null : { edges: [...histogram.edges], counts: [...histogram.counts] }
