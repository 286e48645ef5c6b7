/** A regression tree in flat arrays, and the way of a row through it: on bins in training, on float32 values as served. */
import { missingBinOf, type BinnedTable } from './bins.ts'

/** Per node; the root is node 0, children follow their parents. */
export interface Tree {
  /** −1 in a leaf. */
  readonly column: Int32Array
  /** A value at or below goes left. */
  readonly threshold: Float32Array
  /** The same decision on bins. */
  readonly bin: Uint8Array
  readonly missingLeft: Uint8Array
  readonly left: Int32Array
  readonly right: Int32Array
  /** What a leaf adds, the learning rate included. */
  readonly value: Float32Array
}

/** The leaf of a row of `values` that starts at `offset`. */
export const leafOf = (tree: Tree, values: Float32Array, offset: number): number => {
  const { column, threshold, missingLeft, left, right } = tree
  let node = 0
  for (let at = column[0] as number; at >= 0; at = column[node] as number) {
    const value = values[offset + at] as number
    const goesLeft =
      value !== value ? (missingLeft[node] as number) === 1 : value <= (threshold[node] as number)
    node = (goesLeft ? left[node] : right[node]) as number
  }
  return node
}

/** Adds the tree's value to `sums` for those rows of the table (all, or the first `count` of `rows`). */
export const addTree = (
  tree: Tree,
  { bins, rows: height, edges }: BinnedTable,
  sums: Float64Array,
  rows?: Int32Array,
  count = rows?.length ?? height,
): void => {
  const { column, bin, missingLeft, left, right, value } = tree
  const missing = Uint16Array.from(column, (at) => (at < 0 ? 0 : missingBinOf(edges[at] as Float32Array)))
  for (let i = 0; i < count; i++) {
    const row = rows === undefined ? i : (rows[i] as number)
    let node = 0
    for (let at = column[0] as number; at >= 0; at = column[node] as number) {
      const own = bins[at * height + row] as number
      const goesLeft =
        own === (missing[node] as number) ? (missingLeft[node] as number) === 1 : own <= (bin[node] as number)
      node = (goesLeft ? left[node] : right[node]) as number
    }
    sums[row] = (sums[row] as number) + (value[node] as number)
  }
}
