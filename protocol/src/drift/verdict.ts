/**
 * Is a PSI drift, or only a small sample? Without change, PSI is about (1/n + 1/m)·χ² with one degree of freedom
 * fewer than bins, so a PSI counts only above that limit; and it matters only above the usual effect bands.
 */
import { chiSquaredLimit } from './chi-squared.ts'
import { psiOf } from './distances.ts'
import type { Histogram } from './histogram.ts'
import { rowsOf, sameEdges } from './histogram.ts'
import { invariant } from '../result.ts'

export type PsiLevel = 'stable' | 'watch' | 'act' | 'too-few'

export interface PsiVerdict {
  readonly level: PsiLevel
  /** Null where there are too few rows to say one. */
  readonly psi: number | null
  /** What chance alone exceeds in `significance` of cases; null where there are too few rows. */
  readonly limit: number | null
  readonly referenceRows: number
  readonly rows: number
  readonly reason: string
}

export interface PsiOptions {
  /** Chance of an exceedance without change, per look, on independent rows. */
  readonly significance?: number
  /** Rows on both sides below which nothing is said. */
  readonly rowsMin?: number
  /** PSI from which a significant difference is watched, and acted upon. */
  readonly watchFrom?: number
  readonly actFrom?: number
}

/** PSI of two histograms with the same edges, with its verdict. Bins that are empty on both sides do not count. */
export const decidePsi = (reference: Histogram, current: Histogram, options: PsiOptions = {}): PsiVerdict => {
  invariant(sameEdges(reference, current), 'compared histograms have the same edges')
  const { significance = 0.01, rowsMin = 100, watchFrom = 0.1, actFrom = 0.25 } = options
  const referenceRows = rowsOf(reference)
  const rows = rowsOf(current)
  const fewest = Math.min(referenceRows, rows)
  if (fewest < Math.max(1, rowsMin)) {
    const reason = `${fewest} rows where ${rowsMin} are needed`
    return { level: 'too-few', psi: null, limit: null, referenceRows, rows, reason }
  }
  const used = reference.counts.map((count, i) => count + (current.counts[i] as number) > 0)
  const psi = psiOf(
    reference.counts.filter((_, i) => used[i]),
    current.counts.filter((_, i) => used[i]),
  )
  const bins = used.filter(Boolean).length
  const limit = bins < 2 ? 0 : (1 / referenceRows + 1 / rows) * chiSquaredLimit(bins - 1, significance)
  const verdict = (level: PsiLevel, reason: string): PsiVerdict => ({
    level,
    psi,
    limit,
    referenceRows,
    rows,
    reason,
  })
  const figure = `PSI ${psi.toFixed(3)}`
  if (psi <= limit) return verdict('stable', `${figure} is within chance (${limit.toFixed(3)})`)
  if (psi < watchFrom)
    return verdict('stable', `${figure} is significant and too small to matter (${watchFrom})`)
  if (psi < actFrom)
    return verdict('watch', `${figure} is above chance (${limit.toFixed(3)}) and ${watchFrom}`)
  return verdict('act', `${figure} is above chance (${limit.toFixed(3)}) and ${actFrom}`)
}
