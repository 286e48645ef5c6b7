/** How one version does over the whole fleet since it was first reported: sums and histograms, merged window by window. */

import { decidePsi, mergeHistograms, rowsOf, sameEdges, type Histogram } from '@imlma/protocol/drift'
import { mergeErrorSums, noErrors, type ErrorSums } from '@imlma/protocol/metrics'
import type { Coverage, VersionWindow } from '@imlma/protocol/wire'
import type { LivePerformance } from './fleet.ts'

/** All that merges but the latencies, which are a sketch's matter. */
export interface FleetSums {
  readonly model: string
  readonly version: number
  readonly runs: number
  readonly failures: number
  readonly errors: ErrorSums
  readonly baseline: ErrorSums
  readonly inputs: Readonly<Record<string, Histogram>>
  /** Left out by versions without quantiles. */
  readonly coverage?: Coverage | undefined
}

/** Per input, as signed with the version. */
export type InputReference = Readonly<Record<string, Histogram>>

export const noSums = (model: string, version: number): FleetSums => ({
  model,
  version,
  runs: 0,
  failures: 0,
  errors: noErrors,
  baseline: noErrors,
  inputs: {},
})

export const mergeWindow = (sums: FleetSums, window: VersionWindow): FleetSums => ({
  ...sums,
  runs: sums.runs + window.runs,
  failures: sums.failures + window.failures,
  errors: mergeErrorSums(sums.errors, window.errors),
  baseline: mergeErrorSums(sums.baseline, window.baseline),
  inputs: mergeInputs(sums.inputs, window.inputs),
  coverage: mergeCoverage(sums.coverage, window.coverage),
})

const mergeCoverage = (a: Coverage | undefined, b: Coverage | undefined): Coverage | undefined =>
  a === undefined || b === undefined ? (a ?? b) : { inside: a.inside + b.inside, count: a.count + b.count }

/** More inputs than any model has; names come from outside. */
const inputsMax = 512

/** An input whose edges differ from what is there keeps what is there: one version has one reference. */
const mergeInputs = (merged: FleetSums['inputs'], inputs: VersionWindow['inputs']): FleetSums['inputs'] => {
  const next = { ...merged }
  for (const [name, { histogram }] of Object.entries(inputs)) {
    const before = Object.hasOwn(merged, name) ? merged[name] : undefined
    if (before === undefined) {
      if (Object.keys(next).length < inputsMax) next[name] = histogram
    } else if (sameEdges(before, histogram)) {
      next[name] = mergeHistograms(before, histogram)
    }
  }
  return next
}

/** Each input held against the reference it was signed with; `unknown` where there is no reference to hold it against. */
export const psiOfInputs = (
  { inputs }: FleetSums,
  reference: InputReference | undefined,
): LivePerformance['psi'] =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, histogram]) => {
      const expected = reference !== undefined && Object.hasOwn(reference, name) ? reference[name] : undefined
      if (expected === undefined || !sameEdges(expected, histogram)) {
        return [name, { psi: null, rows: rowsOf(histogram), verdict: 'unknown' }]
      }
      const { psi, rows, level } = decidePsi(expected, histogram)
      return [name, { psi, rows, verdict: level }]
    }),
  )
