/** The same examples with fewer rows to learn from. */
import type { Examples } from '../examples.ts'
import type { TrainingExamples } from '../learner.ts'

/** Rows below which a share says nothing of the whole: fewer rank models by luck. */
const rowsMin = 200

/** An even share of the training rows, in their order, and all rows to be judged on; undefined where it is too small. */
export const shareOf = (examples: TrainingExamples, share: number): TrainingExamples | undefined => {
  const { builder, train } = examples
  const rows = Math.round(train.rows * share)
  if (rows < rowsMin) return undefined
  const chosen = Array.from({ length: rows }, (_, i) => Math.floor((i * train.rows) / rows))
  return { ...examples, train: rowsOf(train, builder.count, builder.horizon, chosen) }
}

const rowsOf = (all: Examples, count: number, horizon: number, rows: readonly number[]): Examples => {
  const features = new Float32Array(rows.length * count)
  const targets = new Float32Array(rows.length * horizon)
  rows.forEach((row, i) => {
    features.set(all.features.subarray(row * count, (row + 1) * count), i * count)
    targets.set(all.targets.subarray(row * horizon, (row + 1) * horizon), i * horizon)
  })
  return {
    ...all,
    rows: rows.length,
    features,
    targets,
    series: Uint32Array.from(rows, (row) => all.series[row] as number),
    origins: Float64Array.from(rows, (row) => all.origins[row] as number),
  }
}
