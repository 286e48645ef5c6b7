/** How much each of a few models should weigh in their average, judged by what each got wrong on the same rows. */

/** Picks of the greedy selection; each is so much of the average. */
const picksMax = 6

/** A gain below this share of the loss is noise of the validation part: one model is simpler than several. */
const gainShareMin = 0.003

/**
 * Weights that sum to 1, most of them 0, by greedy selection with replacement. Source: Caruana et al. 2004, section 2.
 * `residuals`: forecast − actual of each model on the same rows, the best model first.
 */
export const weightsOf = (
  residuals: readonly Float32Array[],
  metric: 'mse' | 'mae',
): { readonly weights: readonly number[]; readonly loss: number } => {
  const counts: number[] = residuals.map((_, i) => (i === 0 ? 1 : 0))
  let sum = Float64Array.from(residuals[0] ?? [])
  let picks = 1
  let loss = lossOf(sum, 1, metric)
  let best = { weights: counts.slice(), loss }
  while (picks < picksMax) {
    const tried = residuals.map((one) => sum.map((value, i) => value + (one[i] as number)))
    const losses = tried.map((one) => lossOf(one, picks + 1, metric))
    const pick = losses.indexOf(Math.min(...losses))
    sum = tried[pick] as Float64Array<ArrayBuffer>
    picks += 1
    loss = losses[pick] as number
    counts[pick] = (counts[pick] as number) + 1
    if (loss < best.loss * (1 - gainShareMin)) best = { weights: counts.map((count) => count / picks), loss }
  }
  return best
}

const lossOf = (sums: Float64Array, count: number, metric: 'mse' | 'mae'): number => {
  let total = 0
  for (const sum of sums) total += metric === 'mae' ? Math.abs(sum / count) : (sum / count) ** 2
  return total / sums.length
}
