/** Student's t distribution, from the regularised incomplete beta function. */

/** P(T ≤ t) with `freedom` > 0 degrees of freedom; absolute error below 1e-12. */
export const studentCumulative = (t: number, freedom: number): number => {
  if (t === 0 || Number.isNaN(t)) return t === 0 ? 0.5 : Number.NaN
  if (!Number.isFinite(t)) return t > 0 ? 1 : 0
  const squared = t * t
  // Near zero the complement keeps the digits that 1 − x would lose.
  const tail =
    squared < freedom
      ? 1 - incompleteBeta(squared / (freedom + squared), 0.5, freedom / 2)
      : incompleteBeta(freedom / (freedom + squared), freedom / 2, 0.5)
  return t > 0 ? 1 - tail / 2 : tail / 2
}

/** The t with P(T ≤ t) = p, 0 < p < 1; within 1e-9. */
export const studentQuantile = (p: number, freedom: number): number => {
  if (p < 0.5) return -studentQuantile(1 - p, freedom)
  let [low, high] = [0, 1]
  while (studentCumulative(high, freedom) < p && high < 1e12) high *= 2
  while (high - low > 1e-10 * Math.max(1, high)) {
    const middle = (low + high) / 2
    if (studentCumulative(middle, freedom) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** I_x(a, b). Source: NIST Digital Library of Mathematical Functions, 8.17(v), "Continued Fraction". */
const incompleteBeta = (x: number, a: number, b: number): number => {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1
  // The fraction converges fast only below the mean of the beta distribution.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b))
  return front / (a * betaFraction(x, a, b))
}

/** 1 + d₁/(1 + d₂/(1 + …)), by Lentz's method as modified by Thompson and Barnett (1986). */
const betaFraction = (x: number, a: number, b: number): number => {
  const tiny = 1e-300
  let value = 1
  let numerator = 1
  let denominator = 0
  for (let k = 1; k <= 1_000; k++) {
    const m = Math.floor(k / 2)
    const d =
      k % 2 === 0
        ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
        : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    denominator = 1 / nonZero(1 + d * denominator, tiny)
    numerator = nonZero(1 + d / numerator, tiny)
    const factor = numerator * denominator
    value *= factor
    if (Math.abs(factor - 1) < 1e-15) break
  }
  return value
}

const nonZero = (value: number, tiny: number): number => (Math.abs(value) < tiny ? tiny : value)

/** ln Γ(x) for x > 0: Stirling's series with five terms above 15, where it is exact to a double; the recurrence below. */
const logGamma = (x: number): number => {
  let shift = 0
  let z = x
  for (; z < 15; z++) shift += Math.log(z)
  const inverse = 1 / (z * z)
  const series =
    (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1_260 - inverse * (1 / 1_680 - inverse / 1_188)))) / z
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series - shift
}
