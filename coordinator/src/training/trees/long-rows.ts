/**
 * Examples as long rows, column by column: which (row, step) pairs are used, what stands in a column of theirs, and
 * what they should forecast. Nothing is copied but one column at a time. Numbers are normalised with the very
 * float32 operations of the ONNX graph, so that a value lies on the same side of a threshold here and there.
 */
import type { Examples } from '../examples.ts'
import { scaleMin, scaleShareMin, type Normalisation } from '../normalisation.ts'
import { binInto, edgesOf, type BinnedTable } from './bins.ts'
import type { LongLayout } from './long-layout.ts'

export type WideExamples = Pick<Examples, 'rows' | 'features' | 'targets'>

export interface LongRows extends WideExamples {
  /** Columns of a wide row. */
  readonly count: number
  readonly layout: LongLayout
  readonly normalisation: Normalisation
  /** Per wide row. */
  readonly levels: Float32Array
  readonly scales: Float32Array
  /** row · horizon + step of every long row, ascending. */
  readonly places: Uint32Array
}

/** Weyl's recurrence spreads the kept places over rows and steps alike. */
const golden = (Math.sqrt(5) - 1) / 2

/** `share` of all places with a target. */
export const longRowsOf = (
  examples: WideExamples,
  count: number,
  layout: LongLayout,
  normalisation: Normalisation,
  share = 1,
): LongRows => {
  const { rows, features, targets } = examples
  const places = new Uint32Array(rows * layout.horizon)
  let kept = 0
  for (let place = 0; place < places.length; place++) {
    if (Number.isNaN(targets[place])) continue
    if (share < 1 && (place * golden) % 1 >= share) continue
    places[kept++] = place
  }
  return {
    ...examples,
    count,
    layout,
    normalisation,
    ...levelsAndScales(normalisation, features, rows, count),
    places: places.subarray(0, kept),
  }
}

/** Per row, in float32 as the graph computes them. */
export const levelsAndScales = (
  { levelColumn, scaleColumn }: Normalisation,
  features: Float32Array,
  rows: number,
  count: number,
): { readonly levels: Float32Array; readonly scales: Float32Array } => {
  const levels = new Float32Array(rows)
  const scales = new Float32Array(rows).fill(1)
  const [least, share] = [Math.fround(scaleMin), Math.fround(scaleShareMin)]
  for (let row = 0; row < rows; row++) {
    const offset = row * count
    if (levelColumn !== null) levels[row] = features[offset + levelColumn] as number
    if (scaleColumn === null) continue
    const spread = Math.max(features[offset + scaleColumn] as number, least)
    const level = Math.abs(levels[row] as number)
    scales[row] = levelColumn === null ? spread : Math.max(spread, Math.fround(level * share))
  }
  return { levels, scales }
}

/** Writes one long column into `target` from `at` on. */
const readColumn = (target: Float32Array, at: number, long: LongRows, column: number): void => {
  const { layout, normalisation, places, features, count, levels, scales } = long
  const { horizon } = layout
  for (let i = 0; i < places.length; i++) {
    const place = places[i] as number
    const row = Math.floor(place / horizon)
    const step = place - row * horizon
    if (column === layout.stepColumn) {
      target[at + i] = step + 1
      continue
    }
    const wide = layout.wideColumn(column, step)
    let value = features[row * count + wide] as number
    if (normalisation.levelMask[wide] === 1) value = Math.fround(value - (levels[row] as number))
    if (normalisation.scaleMask[wide] === 1) value /= scales[row] as number
    target[at + i] = value
  }
}

/** Normalised targets. `offsets` (rows × H, raw units) are what is forecast already and take the level's place. */
export const targetsOf = (
  { places, targets, levels, scales, layout: { horizon } }: LongRows,
  offsets: ArrayLike<number> | null,
): Float64Array =>
  Float64Array.from(places, (place) => {
    const row = Math.floor(place / horizon)
    const known = offsets === null ? (levels[row] as number) : (offsets[place] as number)
    return ((targets[place] as number) - known) / (scales[row] as number)
  })

/** Bins of all these rows, one part after the other. Without edges they are placed by these rows. */
export const tableOf = (
  parts: readonly LongRows[],
  how: { readonly binsMax: number } | { readonly edges: readonly Float32Array[] },
): BinnedTable => {
  const rows = parts.reduce((sum, { places }) => sum + places.length, 0)
  const columns = parts[0]?.layout.width ?? 0
  const bins = new Uint8Array(rows * columns)
  const values = new Float32Array(rows)
  const edges: Float32Array[] = []
  for (let column = 0; column < columns; column++) {
    let at = 0
    for (const part of parts) {
      readColumn(values, at, part, column)
      at += part.places.length
    }
    const own = 'edges' in how ? (how.edges[column] as Float32Array) : edgesOf(values, how.binsMax)
    edges.push(own)
    binInto(bins, column * rows, values, own)
  }
  return { rows, columns, bins, edges }
}
