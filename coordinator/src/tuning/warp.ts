/**
 * Targets as the surrogate sees them: mean 0, deviation 1, and bent by the power transformation under which they look
 * most like a sample of a Gaussian process. A plateau with a narrow well and a bowl with walls far too high both become
 * shapes that a stationary kernel can follow.
 */

export interface Warp {
  /** 1 leaves values as they are; below 1 presses high values together, above 1 spreads them. */
  readonly power: number
  readonly centre: number
  readonly scale: number
  readonly meanAfter: number
  readonly scaleAfter: number
}

/** Source: I.-K. Yeo and R. A. Johnson, "A new family of power transformations", Biometrika 87 (2000). */
export const bend = (value: number, power: number): number => {
  if (power === 1) return value
  if (value >= 0) return power === 0 ? Math.log1p(value) : ((1 + value) ** power - 1) / power
  return power === 2 ? -Math.log1p(-value) : -((1 - value) ** (2 - power) - 1) / (2 - power)
}

/** log of the derivative of `bend`. */
export const logSlope = (value: number, power: number): number =>
  (power - 1) * Math.sign(value) * Math.log1p(Math.abs(value))

const momentsOf = (values: readonly number[]): readonly [mean: number, deviation: number] => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  // Equal values, up to rounding, have no scale of their own.
  return [mean, variance > 1e-24 * mean * mean && variance > 0 ? Math.sqrt(variance) : 1]
}

export const createWarp = (values: readonly number[], power = 1): Warp => {
  const [centre, scale] = momentsOf(values)
  const bent = values.map((value) => bend((value - centre) / scale, power))
  const [meanAfter, scaleAfter] = momentsOf(bent)
  return { power, centre, scale, meanAfter, scaleAfter }
}

export const applyWarp = ({ power, centre, scale, meanAfter, scaleAfter }: Warp, value: number): number =>
  (bend((value - centre) / scale, power) - meanAfter) / scaleAfter

/** Sum of log derivatives: what a likelihood of warped values owes to the warp, so that powers can be compared. */
export const logJacobian = ({ power, centre, scale, scaleAfter }: Warp, values: readonly number[]): number =>
  values.reduce((sum, value) => sum + logSlope((value - centre) / scale, power), 0) -
  values.length * Math.log(scaleAfter * scale)
