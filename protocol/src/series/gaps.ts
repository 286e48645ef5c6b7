/**
 * The one rule for missing values in a context window, for training and for the edge: a missing value becomes the
 * value one season earlier, else the value before it; a gap at the very start takes the first value that is there.
 * How many are too many is the caller's decision: the count comes back.
 */

/** Fills `window` (oldest first) in place and returns how many values were missing; all of them: nothing is filled. */
export const fillGaps = (window: Float32Array, seasonSteps: number): number => {
  let missing = 0
  let first = -1
  for (let i = 0; i < window.length; i++) {
    const value = window[i] as number
    if (value === value) {
      if (first < 0) first = i
      continue
    }
    missing += 1
    if (first < 0) continue
    // What lies before the first value is not filled yet, so a season earlier must not reach there.
    const season = i - seasonSteps
    window[i] = season >= first ? (window[season] as number) : (window[i - 1] as number)
  }
  if (first > 0) window.fill(window[first] as number, 0, first)
  return missing
}
