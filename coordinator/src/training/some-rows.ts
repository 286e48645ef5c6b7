/** Fewer rows that stand for all of them. */
import type { Examples } from './examples.ts'
import type { FeatureLayout } from './learner.ts'

/** Places of `taken` rows, spread evenly over `rows`, ascending. */
export const evenPlaces = (rows: number, taken: number): readonly number[] =>
  Array.from({ length: taken }, (_, i) => Math.floor((i * rows) / taken))

/** Copies of the rows at these places, in their order. */
export const rowsAt = (
  all: Examples,
  { count, horizon }: Pick<FeatureLayout, 'count' | 'horizon'>,
  places: readonly number[],
): Examples => {
  const features = new Float32Array(places.length * count)
  const targets = new Float32Array(places.length * horizon)
  places.forEach((row, i) => {
    features.set(all.features.subarray(row * count, (row + 1) * count), i * count)
    targets.set(all.targets.subarray(row * horizon, (row + 1) * horizon), i * horizon)
  })
  return {
    ...all,
    rows: places.length,
    features,
    targets,
    series: Uint32Array.from(places, (row) => all.series[row] as number),
    origins: Float64Array.from(places, (row) => all.origins[row] as number),
  }
}
