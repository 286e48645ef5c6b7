/**
 * Counts between fixed edges, for reports that merge: the first and the last count are the open tails, so a value
 * outside the reference's range is counted and not lost. A value on an edge belongs to the bin above it.
 */
import { invariant } from '../result.ts'

export interface Histogram {
  /** Ascending, without repeats. */
  readonly edges: readonly number[]
  /** One more than edges. */
  readonly counts: readonly number[]
}

export interface HistogramCounter {
  /** NaN is not counted. */
  add(value: number): void
  histogram(): Histogram
}

export const createHistogramCounter = (edges: readonly number[]): HistogramCounter => {
  const counts = new Float64Array(edges.length + 1)
  return {
    add: (value) => {
      if (value === value) counts[binOf(edges, value)] = (counts[binOf(edges, value)] as number) + 1
    },
    histogram: () => ({ edges, counts: [...counts] }),
  }
}

export const histogramOf = (values: ArrayLike<number>, edges: readonly number[]): Histogram => {
  const counter = createHistogramCounter(edges)
  for (let i = 0; i < values.length; i++) counter.add(values[i] as number)
  return counter.histogram()
}

/** The counts of both; their edges must be the same. */
export const mergeHistograms = (a: Histogram, b: Histogram): Histogram => {
  invariant(sameEdges(a, b), 'merged histograms have the same edges')
  return { edges: a.edges, counts: a.counts.map((count, i) => count + (b.counts[i] as number)) }
}

export const sameEdges = (a: Histogram, b: Histogram): boolean =>
  a.edges.length === b.edges.length && a.edges.every((edge, i) => edge === b.edges[i])

/** Values counted. */
export const rowsOf = (histogram: Histogram): number =>
  histogram.counts.reduce((sum, count) => sum + count, 0)

/**
 * At most `bins − 1` edges that put equally many of the values into each bin; fewer where values repeat. Always at
 * least one: for a constant, the constant itself. Bins of equal weight need the fewest rows for a trustworthy PSI.
 */
export const quantileEdges = (values: ArrayLike<number>, bins: number): readonly number[] => {
  const sorted = Float64Array.from(values)
    .filter((value) => Number.isFinite(value))
    .toSorted()
  const edges: number[] = []
  for (let i = 1; i < bins && sorted.length > 0; i++) {
    const edge = sorted[Math.floor((i * sorted.length) / bins)] as number
    // The smallest value as an edge would leave the lower tail empty.
    if (edge > (edges.at(-1) ?? sorted[0] ?? 0)) edges.push(edge)
  }
  return edges.length > 0 ? edges : [sorted[0] ?? 0]
}

/** How many edges are at or below the value. */
const binOf = (edges: readonly number[], value: number): number => {
  let low = 0
  let high = edges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((edges[middle] as number) <= value) low = middle + 1
    else high = middle
  }
  return low
}
