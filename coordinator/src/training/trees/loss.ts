/**
 * What an ensemble minimises. Every loss says where to start, which way each row pulls (first derivative; the second
 * is one), what a leaf is worth and how good a forecast is.
 */

export type LossKind =
  | { readonly kind: 'squared' }
  /** Squared near zero, linear beyond the given share of the absolute errors. */
  | { readonly kind: 'huber'; readonly share: number }
  /** The quantile of this probability; one half is the absolute error. */
  | { readonly kind: 'pinball'; readonly probability: number }

export interface Loss {
  /** The best constant. */
  readonly start: (targets: Float64Array) => number
  readonly gradients: (target: Float64Array, forecasts: Float64Array, targets: Float64Array) => void
  /** What to add to the forecasts of `rows[begin … end)`; `l2` shrinks. */
  readonly leafValue: (
    gradients: Float64Array,
    forecasts: Float64Array,
    targets: Float64Array,
    rows: Int32Array,
    begin: number,
    end: number,
    l2: number,
  ) => number
  /** Mean over rows: squared error, absolute error for Huber, pinball loss. Early stopping watches it. */
  readonly mean: (forecasts: Float64Array, targets: Float64Array) => number
}

export const createLoss = (choice: LossKind): Loss => {
  switch (choice.kind) {
    case 'squared':
      return squared
    case 'huber':
      return createHuber(choice.share)
    case 'pinball':
      return createPinball(choice.probability)
  }
}

const newtonStep: Loss['leafValue'] = (gradients, _forecasts, _targets, rows, begin, end, l2) => {
  let sum = 0
  for (let i = begin; i < end; i++) sum += gradients[rows[i] as number] as number
  return -sum / (end - begin + l2)
}

const squared: Loss = {
  start: (targets) => targets.reduce((sum, target) => sum + target, 0) / Math.max(1, targets.length),
  gradients: (target, forecasts, targets) => {
    for (let i = 0; i < targets.length; i++) target[i] = (forecasts[i] as number) - (targets[i] as number)
  },
  leafValue: newtonStep,
  mean: (forecasts, targets) => {
    let sum = 0
    for (let i = 0; i < targets.length; i++) sum += ((forecasts[i] as number) - (targets[i] as number)) ** 2
    return sum / targets.length
  },
}

/** Errors that the border between squared and linear is placed by. */
const borderSample = 4_096

const createHuber = (share: number): Loss => ({
  start: (targets) => quantileOf(targets.slice(), 0.5),
  gradients: (target, forecasts, targets) => {
    const every = Math.max(1, Math.floor(targets.length / borderSample))
    const errors = Float64Array.from({ length: Math.ceil(targets.length / every) }, (_, i) =>
      Math.abs((forecasts[i * every] as number) - (targets[i * every] as number)),
    )
    const border = quantileOf(errors, share)
    for (let i = 0; i < targets.length; i++)
      target[i] = Math.max(-border, Math.min(border, (forecasts[i] as number) - (targets[i] as number)))
  },
  leafValue: newtonStep,
  mean: (forecasts, targets) => {
    let sum = 0
    for (let i = 0; i < targets.length; i++)
      sum += Math.abs((forecasts[i] as number) - (targets[i] as number))
    return sum / targets.length
  },
})

const createPinball = (probability: number): Loss => {
  let scratch = new Float64Array(0)
  return {
    start: (targets) => quantileOf(targets.slice(), probability),
    gradients: (target, forecasts, targets) => {
      for (let i = 0; i < targets.length; i++)
        target[i] = (forecasts[i] as number) < (targets[i] as number) ? -probability : 1 - probability
    },
    // A gradient only says on which side a row lies: the leaf takes the quantile of what is left to explain.
    leafValue: (_gradients, forecasts, targets, rows, begin, end, l2) => {
      const size = end - begin
      if (scratch.length < size) scratch = new Float64Array(size)
      for (let i = 0; i < size; i++) {
        const row = rows[begin + i] as number
        scratch[i] = (targets[row] as number) - (forecasts[row] as number)
      }
      return (quantileOf(scratch.subarray(0, size), probability) * size) / (size + l2)
    },
    mean: (forecasts, targets) => {
      let sum = 0
      for (let i = 0; i < targets.length; i++) {
        const error = (targets[i] as number) - (forecasts[i] as number)
        sum += error > 0 ? probability * error : (probability - 1) * error
      }
      return sum / targets.length
    },
  }
}

/** Between order statistics, linearly (type 7 of Hyndman and Fan 1996). Sorts `values`; 0 of none. */
const quantileOf = (values: Float64Array, probability: number): number => {
  if (values.length === 0) return 0
  values.sort()
  const at = probability * (values.length - 1)
  const low = values[Math.floor(at)] as number
  return low + (at - Math.floor(at)) * ((values[Math.ceil(at)] as number) - low)
}
