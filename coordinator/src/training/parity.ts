/** Does the exported file say what the trainer says? */

/** Largest |a − b| relative to the largest magnitude of its row: how well the export repeats the trainer. NaN where one is NaN. */
export const parityOf = (
  exported: ArrayLike<number>,
  trained: ArrayLike<number>,
  horizon: number,
): number => {
  let worst = 0
  for (let first = 0; first < trained.length; first += horizon) {
    let scale = 1e-6
    let gap = 0
    for (let i = first; i < first + horizon; i++) {
      const difference = Math.abs((exported[i] as number) - (trained[i] as number))
      if (Number.isNaN(difference)) return Number.NaN
      gap = Math.max(gap, difference)
      scale = Math.max(scale, Math.abs(trained[i] as number))
    }
    worst = Math.max(worst, gap / scale)
  }
  return worst
}
