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
import type { RecurrentPasses } from './engine.ts'
import { networkParameters, type Network } from './network.ts'
import type { RecurrentParameters } from './parameters.ts'
import { createRowPasses } from './row-passes.ts'

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

/** Features and targets standardised. Throws `Failure` DIVERGED; the signal's reason between two passes when it is aborted. */
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
  const random = createRandom(run.seed, 1)
  const order = Int32Array.from({ length: train.rows }, (_, i) => i)
  const batchRows = Math.min(options.batchRows, train.rows)
  const steps = Math.max(1, Math.floor(Math.min(train.rows, options.epochRowsMax) / batchRows))
  const over = createRowPasses(passes, network, run.signal)
  const dropped = { share: options.dropout, random: createRandom(run.seed, 3) }
  const check = async (): Promise<number> =>
    validation ? over.loss(state.weights, validation, options.loss) : Number.NaN
  const epochs: Epoch[] = [{ epoch: 0, trainLoss: Number.NaN, validationLoss: await check() }]
  let best = { epoch: epochs[0] as Epoch, weights: state.weights.slice() }

  const last = Math.min(options.epochsMax, options.stopAfterEpochs ?? Infinity)
  for (let epoch = 1; epoch <= last; epoch++) {
    shuffle(order, random)
    let total = 0
    for (let i = 0; i < steps; i++) {
      const numbers = order.subarray(i * batchRows, (i + 1) * batchRows)
      const { loss, gradient } = await over.slopes(state.weights, train, numbers, dropped)
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
