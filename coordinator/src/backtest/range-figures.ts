/** How good are quantiles? Their pinball loss, and the share of the actuals between the lowest and the highest. */

export interface RangeFigures {
  /** Mean over actuals and probabilities, in the unit of the series; the mean absolute error of a median is twice it. */
  readonly pinball: number
  /** To be compared with the highest less the lowest probability. */
  readonly coverage: number
}

export interface RangeJudge {
  /** `quantiles` rows × Q × H, ascending in Q; `actuals` rows × H, NaN where one is missing. */
  readonly add: (quantiles: ArrayLike<number>, actuals: ArrayLike<number>) => void
  /** Undefined where no actual was known. */
  readonly figures: () => RangeFigures | undefined
}

export const createRangeJudge = (probabilities: readonly number[], horizon: number): RangeJudge => {
  const size = probabilities.length
  let [count, inside, loss] = [0, 0, 0]
  return {
    add: (quantiles, actuals) => {
      for (let place = 0; place < actuals.length; place++) {
        const actual = actuals[place] as number
        if (Number.isNaN(actual)) continue
        const first = Math.floor(place / horizon) * size * horizon + (place % horizon)
        const quantileAt = (i: number): number => quantiles[first + i * horizon] as number
        count += 1
        if (quantileAt(0) <= actual && actual <= quantileAt(size - 1)) inside += 1
        probabilities.forEach((probability, i) => {
          const error = actual - quantileAt(i)
          loss += Math.max(probability * error, (probability - 1) * error)
        })
      }
    },
    figures: () => (count === 0 ? undefined : { pinball: loss / (count * size), coverage: inside / count }),
  }
}
