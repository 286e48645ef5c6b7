/** The term for a covariate that is known in advance (a weather forecast, a schedule): a piecewise-linear response. */
import { valueAt, type IntervalSeries } from '../series/index.ts'
import type { SharedTerm } from './fields.ts'
import type { Term } from './term.ts'

type Covariate = Extract<SharedTerm, { kind: 'covariate' }>

/** `index` is the covariate's place among those handed to `writeRow`. */
export const covariateTerm = (term: Covariate, index: number, intervalMs: number): Term => {
  const { name, knots, lag, averageSteps } = term
  const label = `${name}${lag > 0 ? ` lag ${lag}` : ''}${averageSteps > 1 ? ` mean of ${averageSteps}` : ''}`
  return {
    names: [label, ...knots.map((knot) => `${label} above ${knot}`)],
    role: 'plain',
    write: (frame, target, at) => {
      const series = frame.covariates[index] as IntervalSeries
      const last = frame.time - lag * intervalMs
      let sum = 0
      for (let i = averageSteps - 1; i >= 0; i--) sum += valueAt(series, last - i * intervalMs)
      const value = sum / averageSteps
      if (value !== value) frame.covariateMissing = true
      target[at] = value
      for (let i = 0; i < knots.length; i++) target[at + 1 + i] = Math.max(0, value - (knots[i] as number))
    },
  }
}
