/**
 * How much is a trial worth? The logarithm of its expected improvement over the best believed value, minus, where trial
 * times differ, the logarithm of the seconds that it is expected to take.
 */
import { logImprovement } from './normal.ts'
import type { Posterior } from './posterior.ts'

export interface Acquisition {
  /** Higher is better; writes the gradient where one is given. */
  (point: Float64Array, gradient?: Float64Array): number
}

/** Belief about trial times: the logarithm of seconds, divided by `scale`. */
interface Cost {
  readonly posterior: Posterior
  readonly scale: number
}

/** LogEI for minimisation, in standardised targets. */
export const createLogImprovement =
  (posterior: Posterior, incumbent: number, seconds?: Cost): Acquisition =>
  (point, gradient) => {
    const { mean, variance, meanSlope, varianceSlope } = posterior.at(point, gradient !== undefined)
    const deviation = Math.sqrt(variance)
    const z = (incumbent - mean) / deviation
    const { value, slope } = logImprovement(z)
    const cost = seconds?.posterior.at(point, gradient !== undefined)
    const costScale = seconds?.scale ?? 0
    if (gradient !== undefined)
      for (let d = 0; d < point.length; d++) {
        const byDeviation = varianceSlope[d]! / (2 * variance)
        gradient[d] =
          byDeviation * (1 - slope * z) -
          (slope * meanSlope[d]!) / deviation -
          (cost?.meanSlope[d] ?? 0) * costScale
      }
    return value + Math.log(deviation) - (cost?.mean ?? 0) * costScale
  }
