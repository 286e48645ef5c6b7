/** Quantiles of the χ² distribution, by bisection on the regularised incomplete gamma function. */

/** The value that a χ² variable with `freedom` degrees exceeds with the given chance (0 < chance < 1). */
export const chiSquaredLimit = (freedom: number, chance: number): number => {
  let low = 0
  let high = freedom + 10
  while (1 - gammaShare(freedom / 2, high / 2) > chance) high *= 2
  // 60 halvings end below the spacing of doubles.
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (1 - gammaShare(freedom / 2, middle / 2) > chance) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** P(a, x) = γ(a, x) / Γ(a), for a a multiple of one half; by its power series (all terms positive). */
const gammaShare = (a: number, x: number): number => {
  if (x <= 0) return 0
  let term = Math.exp(a * Math.log(x) - x - logGamma(a + 1))
  let sum = 0
  for (let n = 1; n <= 10_000 && term > sum * 1e-17; n++) {
    sum += term
    term *= x / (a + n)
  }
  return Math.min(1, sum)
}

/** ln Γ(a) for a = ½, 1, 1½, …: by the recurrence from Γ(½) = √π or Γ(1) = 1. */
const logGamma = (a: number): number => {
  let at = Number.isInteger(a) ? 1 : 0.5
  let sum = at === 1 ? 0 : Math.log(Math.PI) / 2
  for (; at < a; at++) sum += Math.log(at)
  return sum
}
