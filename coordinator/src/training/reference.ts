/** What the data looked like when the model was trained: the histograms that drift is measured against. */
import { histogramOf, quantileEdges, rowsOf } from '@imlma/protocol/drift'
import { indexAt } from '@imlma/protocol/series'
import type { SnapshotSeries } from '../datasets/snapshot.ts'
import type { TimeRange } from '../datasets/split.ts'
import type { TrainingOutcome } from './job.ts'

/** Ten bins of equal weight: enough to see a shift, few enough for a hundred rows. */
const bins = 10

/** Values looked at to place the edges; all values are counted. */
const edgeValuesMax = 100_000

export const referenceOf = (
  series: readonly SnapshotSeries[],
  range: TimeRange,
  residuals: Float32Array,
): TrainingOutcome['reference'] => {
  const parts = series.map((one) =>
    one.values.subarray(Math.max(0, indexAt(one, range.start)), Math.max(0, indexAt(one, range.end))),
  )
  const values = new Float32Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    values.set(part, at)
    at += part.length
  }
  return { inputs: { value: summarise(values) }, residuals: summarise(residuals) }
}

const summarise = (values: Float32Array) => {
  const every = Math.max(1, Math.ceil(values.length / edgeValuesMax))
  const histogram = histogramOf(
    values,
    quantileEdges(
      values.filter((_, i) => i % every === 0),
      bins,
    ),
  )
  return { histogram, rows: rowsOf(histogram) }
}
