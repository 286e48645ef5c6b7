/** Error sums, windows and fleet-wide performance as the figures people read. */

import { metricsOf, skillOf, type ErrorSums } from '@imlma/protocol/metrics'
import type { VersionWindow } from '@imlma/protocol/wire'
import type { LivePerformance } from '../fleet/fleet.ts'
import type { Figures, LiveView } from './views.ts'

const toFigures = (sums: ErrorSums): Figures => {
  const { mse, mae, r2, count } = metricsOf(sums)
  return { mse, mae, r2, rows: count }
}

/** One agent's latest window of a version. */
export const toLiveOfWindow = (window: VersionWindow): LiveView => toLive(window, window.inputs)

/** A version over the whole fleet. */
export const toLiveOfFleet = (performance: LivePerformance): LiveView => toLive(performance, performance.psi)

type Measured = Pick<VersionWindow, 'runs' | 'failures' | 'latencyMs' | 'errors' | 'baseline' | 'coverage'>

const toLive = (
  { runs, failures, latencyMs, errors, baseline, coverage }: Measured,
  inputs: Readonly<Record<string, { psi: number | null; rows: number; verdict: string }>>,
): LiveView => ({
  runs,
  failures,
  latencyMs,
  figures: toFigures(errors),
  baseline: toFigures(baseline),
  skill: skillOf(errors, baseline),
  ...(coverage !== undefined &&
    coverage.count > 0 && { coverage: { share: coverage.inside / coverage.count, rows: coverage.count } }),
  // Largest shift first: that is what somebody looks for.
  drift: Object.entries(inputs)
    .map(([input, { psi, rows, verdict }]) => ({ input, psi, rows, verdict }))
    .toSorted((a, b) => (b.psi ?? -1) - (a.psi ?? -1)),
})
