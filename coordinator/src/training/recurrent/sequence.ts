/**
 * Which columns of a feature row are a sequence, and in which order? The lags, from the oldest to the latest, cut into
 * steps of equally many; lags that are not evenly apart are simply what came one after the other. Every other column,
 * shared or of a step of the horizon, is what the head of the network sees beside the last state.
 */
import { Failure } from '@imlma/protocol/result'
import type { FeatureLayout } from '../learner.ts'

export interface SequencePlan {
  /** Time steps. */
  readonly steps: number
  /** Lags per time step. */
  readonly inputs: number
  /** steps × inputs columns, in the order of time. Where the lags do not fill the steps, the oldest is there repeatedly. */
  readonly sequence: readonly number[]
  /** The other columns. */
  readonly rest: readonly number[]
}

/** Fewer lags than this are no sequence: a perceptron sees as much in them. */
const lagsMin = 4

/** Throws `Failure` FEATURES_MISSING. */
export const planSequence = ({ names }: Pick<FeatureLayout, 'names'>, stepsMax: number): SequencePlan => {
  const lags = names
    .flatMap((name, column) => {
      const lag = /^lag (\d+)$/.exec(name)?.[1]
      return lag === undefined ? [] : [{ lag: Number(lag), column }]
    })
    .toSorted((a, b) => b.lag - a.lag)
    .map(({ column }) => column)
  const [oldest] = lags
  if (oldest === undefined || lags.length < lagsMin) {
    throw new Failure('FEATURES_MISSING', `the features hold ${lags.length} lags, which is no sequence`, {
      hint: `the recurrent learner needs ${lagsMin} lags or more: give it a context, or choose trees or perceptron`,
    })
  }
  const inputs = inputsPerStep(lags.length, stepsMax)
  const steps = Math.ceil(lags.length / inputs)
  const filling = Array.from({ length: steps * inputs - lags.length }, () => oldest)
  const taken = new Set(lags)
  return {
    steps,
    inputs,
    sequence: [...filling, ...lags],
    rest: [...names.keys()].filter((column) => !taken.has(column)),
  }
}

/** The fewest that need no more than `stepsMax` steps; somewhat more where nothing is left over then. */
const inputsPerStep = (lags: number, stepsMax: number): number => {
  const least = Math.ceil(lags / stepsMax)
  for (let inputs = least; inputs <= 1.5 * least; inputs++) if (lags % inputs === 0) return inputs
  return least
}
