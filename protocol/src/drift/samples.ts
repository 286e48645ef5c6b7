/** How far two samples lie apart, from their values: shared bins, Wasserstein distance, Kolmogorov-Smirnov test. */

/**
 * Bin edges over both samples by Sturges' rule as numpy has it: width = range / (log2 n + 1), rounded to whole bins.
 * Ascending, one more than bins.
 */
export const sturgesEdges = (values: ArrayLike<number>): readonly number[] => {
  let low = Infinity
  let high = -Infinity
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i] as number)
    high = Math.max(high, values[i] as number)
  }
  if (low === high) return [low - 0.5, high + 0.5]
  const bins = Math.ceil(Math.log2(values.length) + 1)
  const step = (high - low) / bins
  return [...Array.from({ length: bins }, (_, i) => low + i * step), high]
}

/** Counts between edges; the last bin contains its upper edge, what lies outside is left out. */
export const countBetween = (values: ArrayLike<number>, edges: readonly number[]): readonly number[] => {
  const counts = Array.from(edges.slice(1), () => 0)
  const high = edges.at(-1) as number
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (!(value >= (edges[0] as number) && value <= high)) continue
    let bin = 0
    while (bin < counts.length - 1 && value >= (edges[bin + 1] as number)) bin += 1
    counts[bin] = (counts[bin] as number) + 1
  }
  return counts
}

/** Area between the two distribution functions, divided by the reference's population standard deviation. */
export const wassersteinOf = (reference: ArrayLike<number>, current: ArrayLike<number>): number => {
  let area = 0
  walk(reference, current, (shareGap, width) => {
    area += Math.abs(shareGap) * width
  })
  return area / deviationOf(reference)
}

export interface KolmogorovSmirnov {
  /** Largest gap between the two distribution functions, 0 … 1. */
  readonly statistic: number
  /** Two-sided. Exact up to 30 million pairs of rows, by Kolmogorov's limit above. */
  readonly p: number
}

export const kolmogorovSmirnovOf = (
  reference: ArrayLike<number>,
  current: ArrayLike<number>,
): KolmogorovSmirnov => {
  let statistic = 0
  walk(reference, current, (shareGap) => {
    statistic = Math.max(statistic, Math.abs(shareGap))
  })
  const [n, m] = [reference.length, current.length]
  const p = n * m <= exactPairsMax ? exactTail(statistic, n, m) : limitTail(statistic, n, m)
  return { statistic, p }
}

/** About a tenth of a second; larger samples are where the limit law is good. */
const exactPairsMax = 30_000_000

/** Visits the steps of both distribution functions in order: the gap between them and how wide it holds. */
const walk = (
  reference: ArrayLike<number>,
  current: ArrayLike<number>,
  visit: (shareGap: number, width: number) => void,
): void => {
  const a = Float64Array.from(reference).toSorted()
  const b = Float64Array.from(current).toSorted()
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const value = Math.min(a[i] ?? Infinity, b[j] ?? Infinity)
    while (i < a.length && a[i] === value) i += 1
    while (j < b.length && b[j] === value) j += 1
    const next = Math.min(a[i] ?? Infinity, b[j] ?? Infinity)
    visit(i / a.length - j / b.length, next === Infinity ? 0 : next - value)
  }
}

const deviationOf = (values: ArrayLike<number>): number => {
  const list = Float64Array.from(values)
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length
  return Math.sqrt(list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length)
}

/**
 * Chance that a random order of n and m rows reaches a gap of at least `statistic`: over the lattice of prefixes
 * (i, j), a prefix is out when its own gap is reached, else it was out one row earlier, which was one of the n with
 * chance i / (i + j). Only positive terms, so a tiny chance keeps its digits.
 */
const exactTail = (statistic: number, n: number, m: number): number => {
  // Gaps are multiples of 1 / (n·m): half of one keeps equality safe from rounding.
  const reached = Math.round(statistic * n * m) - 0.5
  const out = new Float64Array(m + 1)
  for (let i = 0; i <= n; i++) {
    for (let j = 0; j <= m; j++) {
      if (Math.abs(i * m - j * n) >= reached) out[j] = 1
      else if (i === 0) out[j] = j === 0 ? 0 : (out[j - 1] as number)
      else
        out[j] =
          j === 0 ? (out[j] as number) : (i * (out[j] as number) + j * (out[j - 1] as number)) / (i + j)
    }
  }
  return out[m] as number
}

/** 2 Σ (−1)^(k−1) exp(−2k²t²) with Stephens' correction of t for finite samples (1970). */
const limitTail = (statistic: number, n: number, m: number): number => {
  const root = Math.sqrt((n * m) / (n + m))
  const t = (root + 0.12 + 0.11 / root) * statistic
  if (t < 0.2) return 1
  let sum = 0
  for (let k = 1; k <= 100; k++) sum += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * t * t)
  return Math.min(1, Math.max(0, sum))
}
