/**
 * The standard normal distribution, exact in its tails: expected improvement is a difference of two nearly equal numbers
 * where a point is hopeless, and its logarithm must still tell hopeless from worse.
 */

const logRoot2Pi = 0.5 * Math.log(2 * Math.PI)

export const density = (z: number): number => Math.exp(-0.5 * z * z - logRoot2Pi)

/**
 * K with 1/R(t) = t + K for Mills' ratio R(t) = (1 − Φ(t))/φ(t), t ≥ 1, by Laplace's continued fraction
 * K = 1/(t + 2/(t + 3/(t + …))), which loses no digits however far out t is.
 */
const tailExcess = (t: number): number => {
  const terms = Math.ceil(24 + 220 / (t * t))
  let fraction = t
  for (let k = terms; k >= 2; k--) fraction = t + k / fraction
  return 1 / fraction
}

/** Φ(z), relative precision 1e-12 in both tails. */
export const cumulative = (z: number): number => {
  if (z >= 1) return 1 - density(z) / (z + tailExcess(z))
  if (z <= -1) return density(z) / (-z + tailExcess(-z))
  let term = z
  let sum = z
  for (let k = 3; Math.abs(term) > 1e-18; k += 2) {
    term *= (z * z) / k
    sum += term
  }
  return 0.5 + density(z) * sum
}

export interface LogImprovement {
  /** log(φ(z) + z·Φ(z)) */
  readonly value: number
  /** Its derivative, Φ(z)/(φ(z) + z·Φ(z)). */
  readonly slope: number
}

/**
 * The logarithm of the expected improvement of a standard normal over −z, and its slope.
 * Source: S. Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization" (2023), LogEI;
 * the tail is Mills' ratio instead of their scaled complementary error function.
 */
export const logImprovement = (z: number): LogImprovement => {
  if (z > -1) {
    const below = cumulative(z)
    const improvement = density(z) + z * below
    return { value: Math.log(improvement), slope: below / improvement }
  }
  // φ + zΦ = φ·(1 − tR) = φ·K/(t + K) with t = −z: no cancellation.
  const excess = tailExcess(-z)
  return { value: -0.5 * z * z - logRoot2Pi + Math.log(excess / (excess - z)), slope: 1 / excess }
}
