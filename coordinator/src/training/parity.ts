/** Does the exported file say what the trainer says? */

/**
 * Of the mean magnitude of all outputs, what an output counts for at the least. Rounding is as large as the numbers that
 * were added up, not as their sum: a forecast of nearly nothing (a sun that is down, flows that cancel) is exact to
 * 10⁻⁷ of what the model usually says, and to no digit of its own.
 */
const floorShare = 0.1

/** Where a model says nothing but zero, in the unit of the series. */
const floorMin = 1e-6

/**
 * Largest |a − b| relative to the largest magnitude of its row, or to a tenth of the usual one where that is more: how
 * well the export repeats the trainer. NaN where one is NaN.
 */
export const parityOf = (
  exported: ArrayLike<number>,
  trained: ArrayLike<number>,
  horizon: number,
): number => {
  const floor = Math.max(floorMin, floorShare * meanMagnitudeOf(trained))
  let worst = 0
  for (let first = 0; first < trained.length; first += horizon) {
    let scale = floor
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

const meanMagnitudeOf = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i] as number)
  return sum / Math.max(1, values.length)
}
