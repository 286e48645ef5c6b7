/**
 * A trained forecaster of trees: one ensemble for the forecast, one per quantile. Here is the trainer's own forecast,
 * addition by addition in float32 as ONNX Runtime adds, so that the exported file repeats it to the bit.
 */
import type { Normalisation } from '../normalisation.ts'
import type { Forest } from './boost.ts'
import type { LongLayout } from './long-layout.ts'
import { levelsAndScales } from './long-rows.ts'
import { leafOf } from './tree.ts'

export interface TreeModel {
  /** Columns of a wide row. */
  readonly count: number
  readonly layout: LongLayout
  readonly normalisation: Normalisation
  readonly forecast: Forest
  /** By probability, ascending. */
  readonly quantiles: readonly Forest[]
  readonly probabilities: readonly number[]
  /** What the trees correct: features rows × F → rows × H in raw units; null where they start from the level. */
  readonly offsetsOf: ((features: Float32Array, rows: number) => ArrayLike<number>) | null
}

/** rows × H, raw units. */
export const forecastTrees = (model: TreeModel, features: Float32Array, rows: number): Float32Array =>
  run(model, [model.forecast], features, rows)

/** rows × Q × H, raw units, ascending in Q: crossing quantiles are put in order. */
export const forecastQuantiles = (model: TreeModel, features: Float32Array, rows: number): Float32Array =>
  run(model, model.quantiles, features, rows)

/** rows × forests × H; the forests' answers to one place in ascending order. */
const run = (
  { count, layout, normalisation, offsetsOf }: TreeModel,
  forests: readonly Forest[],
  features: Float32Array,
  rows: number,
): Float32Array => {
  const { horizon } = layout
  const { levels, scales } = levelsAndScales(normalisation, features, rows, count)
  const offsets = offsetsOf === null ? null : offsetsOf(features, rows)
  const answers = new Float32Array(rows * forests.length * horizon)
  const long = new Float32Array(layout.width)
  const sums = new Float32Array(forests.length)
  for (let row = 0; row < rows; row++) {
    const [level, scale] = [levels[row] as number, scales[row] as number]
    for (let step = 0; step < horizon; step++) {
      writeLongRow(long, layout, normalisation, features, row * count, step, level, scale)
      for (let i = 0; i < forests.length; i++) sums[i] = sumOf(forests[i] as Forest, long)
      sums.sort()
      const known = offsets === null ? level : Math.fround(offsets[row * horizon + step] as number)
      for (let i = 0; i < forests.length; i++)
        answers[(row * forests.length + i) * horizon + step] =
          Math.fround((sums[i] as number) * scale) + known
    }
  }
  return answers
}

const writeLongRow = (
  long: Float32Array,
  layout: LongLayout,
  { levelMask, scaleMask }: Normalisation,
  features: Float32Array,
  offset: number,
  step: number,
  level: number,
  scale: number,
): void => {
  for (let column = 0; column < long.length; column++) {
    if (column === layout.stepColumn) {
      long[column] = step + 1
      continue
    }
    const wide = layout.wideColumn(column, step)
    let value = features[offset + wide] as number
    if (levelMask[wide] === 1) value = Math.fround(value - level)
    if (scaleMask[wide] === 1) value /= scale
    long[column] = value
  }
}

/** Trees in their order first, the base last. */
const sumOf = ({ base, trees }: Forest, long: Float32Array): number => {
  let sum = 0
  for (const tree of trees) sum = Math.fround(sum + (tree.value[leafOf(tree, long, 0)] as number))
  return Math.fround(sum + base)
}
