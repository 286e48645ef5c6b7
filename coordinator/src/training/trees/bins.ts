/**
 * How a column of numbers becomes a column of bytes: bins of about equal weight, divided by edges that are float32
 * numbers. A value lies left of an edge where it is at or below it; ONNX Runtime compares the same two float32
 * numbers when the model serves, so that both always take the same branch. A missing value has a bin of its own.
 */

/** Bins of values; with the one for missing values a byte is full. */
export const valueBinsMax = 255

/** Values that edges are placed by; more would not move them. */
const sampleMax = 50_000

export interface BinnedTable {
  readonly rows: number
  readonly columns: number
  /** columns × rows, column after column. */
  readonly bins: Uint8Array
  /** Per column, ascending: bin i holds what is above edge i − 1 and not above edge i. */
  readonly edges: readonly Float32Array[]
}

/** The bin of a missing value, behind those of values. */
export const missingBinOf = (edges: Float32Array): number => edges.length + 1

/** Edges for these values; NaN is skipped. One bin per distinct value where there are few. */
export const edgesOf = (values: Float32Array, binsMax: number): Float32Array => {
  const sorted = sampleOf(values).toSorted()
  let known = sorted.length
  while (known > 0 && Number.isNaN(sorted[known - 1])) known -= 1
  return distinctWithin(sorted, known, binsMax)
    ? evenEdges(sorted, known, Infinity)
    : evenEdges(sorted, known, binsMax)
}

/** Writes the bin of every value to `target` from `offset` on. */
export const binInto = (
  target: Uint8Array,
  offset: number,
  values: Float32Array,
  edges: Float32Array,
): void => {
  const missing = missingBinOf(edges)
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (value !== value) {
      target[offset + i] = missing
      continue
    }
    let low = 0
    let high = edges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((edges[middle] as number) < value) low = middle + 1
      else high = middle
    }
    target[offset + i] = low
  }
}

const sampleOf = (values: Float32Array): Float32Array => {
  if (values.length <= sampleMax) return values.slice()
  return Float32Array.from(
    { length: sampleMax },
    (_, i) => values[Math.floor((i * values.length) / sampleMax)] as number,
  )
}

const distinctWithin = (sorted: Float32Array, known: number, most: number): boolean => {
  let distinct = known > 0 ? 1 : 0
  for (let i = 1; i < known && distinct <= most; i++) if (sorted[i] !== sorted[i - 1]) distinct += 1
  return distinct <= most
}

/** A bin is closed once it holds its share of what is left, so that a value that fills many bins leaves the others to the rest. */
const evenEdges = (sorted: Float32Array, known: number, binsMax: number): Float32Array => {
  const edges: number[] = []
  let left = known
  let inBin = 0
  for (let i = 0; i + 1 < known && edges.length + 1 < binsMax; i++) {
    inBin += 1
    const [value, next] = [sorted[i] as number, sorted[i + 1] as number]
    if (value === next || inBin < left / (binsMax - edges.length)) continue
    edges.push(edgeBetween(value, next))
    left -= inBin
    inBin = 0
  }
  return Float32Array.from(edges)
}

/** A float32 number t with low ≤ t < high, in the middle where one is there. */
const edgeBetween = (low: number, high: number): number => {
  const middle = Math.fround(low / 2 + high / 2)
  return low <= middle && middle < high ? middle : low
}
