/** Terms made of the series' own past: lags, figures over the last values, and the target's phase a season ago. */
import { seasonalLagOf } from './extent.ts'
import type { SharedTerm, StepTerm } from './fields.ts'
import type { Term } from './term.ts'

type Lags = Extract<SharedTerm, { kind: 'lags' }>
type Statistics = Extract<SharedTerm, { kind: 'statistics' }>
type SeasonalLag = Extract<StepTerm, { kind: 'seasonal-lag' }>

export const lagsTerm = ({ lags }: Lags): Term => ({
  names: lags.map((lag) => `lag ${lag}`),
  role: 'level',
  write: ({ context }, target, at) => {
    for (let i = 0; i < lags.length; i++)
      target[at + i] = context[context.length - (lags[i] as number)] as number
  },
})

export const seasonalLagTerm = ({ seasonSteps, count }: SeasonalLag): Term => ({
  names: [`seasonal ${seasonSteps} × ${count}`],
  role: 'level',
  write: ({ context, step }, target, at) => {
    target[at] = context[context.length - seasonalLagOf(seasonSteps, count, step)] as number
  },
})

/** Sums run in double precision from the oldest value on: the order is part of the result's bits. */
export const statisticsTerm = ({ over, of }: Statistics): Term => ({
  names: of.map((figure) => `${figure} of ${over}`),
  role: of.map((figure) => (figure === 'deviation' ? 'spread' : 'level')),
  write: ({ context }, target, at) => {
    const first = context.length - over
    let sum = 0
    let min = Infinity
    let max = -Infinity
    for (let i = first; i < context.length; i++) {
      const value = context[i] as number
      sum += value
      if (value < min) min = value
      if (value > max) max = value
    }
    const mean = sum / over
    for (let i = 0; i < of.length; i++) {
      const figure = of[i]
      if (figure === 'mean') target[at + i] = mean
      else if (figure === 'deviation') target[at + i] = deviationOf(context, first, mean)
      else target[at + i] = figure === 'min' ? min : max
    }
  },
})

/** The population standard deviation of the context from `first` on. */
const deviationOf = (context: Float32Array, first: number, mean: number): number => {
  let squares = 0
  for (let i = first; i < context.length; i++) {
    const shift = (context[i] as number) - mean
    squares += shift * shift
  }
  return Math.sqrt(squares / (context.length - first))
}
