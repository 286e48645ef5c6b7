/**
 * Trains a recurrent network: epochs of shuffled mini-batches, the learning rate on its schedule, after every epoch the
 * loss on the validation part, and the weights of the best epoch in the end. The same seed gives the same weights.
 */
import { createRandom } from '../../tuning/random.ts'
import { adamDefaults } from '../engine/adam.ts'
import { divergedAt, shuffle, type Epoch, type Fit, type FitRun } from '../engine/fit.ts'
import { decayMask, initialWeights } from '../engine/parameters.ts'
import type { Rows } from '../engine/problem.ts'
import { rateFactor } from '../engine/schedule.ts'
import { startAdam, stepAdam } from './adam-step.ts'
import { batchOf, dropoutMask, targetsOf } from './batches.ts'
import type { RecurrentPasses } from './engine.ts'
import { networkParameters, type Network } from './network.ts'
import type { RecurrentParameters } from './parameters.ts'

export interface RecurrentFitOptions extends Pick<
  RecurrentParameters,
  | 'loss'
  | 'dropout'
  | 'learningRate'
  | 'schedule'
  | 'weightDecay'
  | 'batchRows'
  | 'epochRowsMax'
  | 'epochsMax'
  | 'patience'
  | 'gradientNormMax'
> {
  /** Ends earlier while the schedule is still that of `epochsMax`: how a refit repeats the best epoch. */
  readonly stopAfterEpochs?: number
}

/** Rows whose loss is looked at after every epoch, evenly spread: enough to tell epochs apart. */
const checkRowsMax = 4_096

/** Rows per forecasting pass: bounds the memory. */
const passRows = 512

/** Features and targets standardised. Throws `Failure` DIVERGED; the signal's reason between two batches when it is aborted. */
export const fitRecurrent = async (
  passes: RecurrentPasses,
  network: Network,
  { train, validation }: { readonly train: Rows; readonly validation?: Rows },
  options: RecurrentFitOptions,
  run: FitRun,
): Promise<Fit> => {
  const specs = networkParameters(network.sizes)
  const state = startAdam(initialWeights(specs, createRandom(run.seed, 2)))
  const mask = decayMask(specs)
  const randoms = { order: createRandom(run.seed, 1), dropout: createRandom(run.seed, 3) }
  const order = Int32Array.from({ length: train.rows }, (_, i) => i)
  const batchRows = Math.min(options.batchRows, train.rows)
  const steps = Math.max(1, Math.floor(Math.min(train.rows, options.epochRowsMax) / batchRows))
  const check = async (): Promise<number> =>
    validation ? lossOn(passes, network, state.weights, validation, options.loss, run.signal) : Number.NaN
  const epochs: Epoch[] = [{ epoch: 0, trainLoss: Number.NaN, validationLoss: await check() }]
  let best = { epoch: epochs[0] as Epoch, weights: state.weights.slice() }

  const last = Math.min(options.epochsMax, options.stopAfterEpochs ?? Infinity)
  for (let epoch = 1; epoch <= last; epoch++) {
    shuffle(order, randoms.order)
    let total = 0
    for (let i = 0; i < steps; i++) {
      run.signal.throwIfAborted()
      const numbers = order.subarray(i * batchRows, (i + 1) * batchRows)
      const { loss, gradient } = await passes.lossAndGradient(state.weights, {
        ...batchOf(train, network.count, network.plan, numbers),
        targets: targetsOf(train, network.sizes.horizon, numbers),
        mask: dropoutMask(batchRows * network.sizes.units, options.dropout, randoms.dropout),
      })
      const done = (epoch - 1) * steps + i
      const rate = options.learningRate * rateFactor(options.schedule, done / (steps * options.epochsMax))
      stepAdam(state, gradient, {
        ...adamDefaults,
        ...adamOf(options),
        step: done + 1,
        rate,
        decayMask: mask,
      })
      total += loss
    }
    const now: Epoch = { epoch, trainLoss: total / steps, validationLoss: await check() }
    if (!Number.isFinite(now.trainLoss)) throw divergedAt(epoch, options.learningRate)
    epochs.push(now)
    run.onEpoch?.(now)
    if (!validation || now.validationLoss < best.epoch.validationLoss)
      best = { epoch: now, weights: state.weights.slice() }
    if (epoch - best.epoch.epoch >= options.patience) break
  }
  return { weights: best.weights, best: best.epoch, epochs }
}

const adamOf = ({ weightDecay, gradientNormMax }: RecurrentFitOptions) => ({ weightDecay, gradientNormMax })

/** The trainer's own answers to these rows: numbers × H, standardised. */
export const answersOf = async (
  passes: RecurrentPasses,
  { count, plan, sizes }: Network,
  weights: Float32Array,
  rows: Pick<Rows, 'features'>,
  numbers: Int32Array,
  signal: AbortSignal,
): Promise<Float32Array> => {
  const answers = new Float32Array(numbers.length * sizes.horizon)
  for (let first = 0; first < numbers.length; first += passRows) {
    signal.throwIfAborted()
    const some = numbers.subarray(first, first + passRows)
    answers.set(await passes.forecast(weights, batchOf(rows, count, plan, some)), first * sizes.horizon)
  }
  return answers
}

/** At most so many of the rows, evenly spread. */
export const spreadRows = (rows: number, rowsMax: number): Int32Array => {
  const length = Math.min(rows, rowsMax)
  return Int32Array.from({ length }, (_, i) => Math.floor((i * rows) / length))
}

const lossOn = async (
  passes: RecurrentPasses,
  network: Network,
  weights: Float32Array,
  validation: Rows,
  loss: RecurrentParameters['loss'],
  signal: AbortSignal,
): Promise<number> => {
  const numbers = spreadRows(validation.rows, checkRowsMax)
  const answers = await answersOf(passes, network, weights, validation, numbers, signal)
  const targets = targetsOf(validation, network.sizes.horizon, numbers)
  return (
    answers.reduce((sum, answer, i) => sum + lossOf[loss](Math.abs(answer - (targets[i] as number))), 0) /
    answers.length
  )
}

/** By the size of an error; the Huber loss grows linearly beyond one deviation. */
const lossOf: Readonly<Record<RecurrentParameters['loss'], (error: number) => number>> = {
  squared: (error) => error * error,
  absolute: (error) => error,
  huber: (error) => (error < 1 ? 0.5 * error * error : error - 0.5),
}
