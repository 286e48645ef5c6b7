/**
 * Minimises a problem: epochs of shuffled mini-batches, the learning rate on its schedule, after every epoch the
 * loss on the validation part, and the weights of the best epoch in the end. The same seed gives the same weights.
 */
import { Failure, invariant } from '@imlma/protocol/result'
import { createRandom, type Random } from '../../tuning/random.ts'
import { adamDefaults, adamScalars, type AdamOptions } from './adam.ts'
import { epochGraph, lossGraph } from './epoch-graph.ts'
import { initialWeights, parameterCount } from './parameters.ts'
import type { Problem, Rows } from './problem.ts'
import { rateFactor, type ScheduleName } from './schedule.ts'
import type { GraphSession, GraphSessions, Tensor, TensorValues } from './session.ts'

export interface FitOptions extends Partial<AdamOptions> {
  readonly epochsMax: number
  /** Ends earlier while the schedule is still that of `epochsMax`: how a refit repeats the best epoch. */
  readonly stopAfterEpochs?: number
  /** Rows per step; what is left over of an epoch waits for the next shuffle. */
  readonly batchRows: number
  /** The largest of the schedule. */
  readonly learningRate: number
  readonly schedule: ScheduleName
  /** Epochs without a better validation loss before it ends. */
  readonly patienceEpochs: number
  /** Instead of random ones. */
  readonly initial?: Float32Array
}

export interface FitRun {
  readonly seed: number
  readonly signal: AbortSignal
  readonly onEpoch?: (epoch: Epoch) => void
}

export interface Epoch {
  /** 0 is before the first step. */
  readonly epoch: number
  /** Mean over the steps; NaN for epoch 0. */
  readonly trainLoss: number
  /** NaN where there is no validation part. */
  readonly validationLoss: number
}

export interface Fit {
  /** Of the best epoch; of the last one where there is no validation part. */
  readonly weights: Float32Array
  readonly best: Epoch
  readonly epochs: readonly Epoch[]
}

/** Rows per run of the validation loss: bounds its memory. */
const checkRows = 8_192

/** Throws `Failure` DIVERGED; the signal's reason when it is aborted. */
export const fit = async (
  sessions: GraphSessions,
  problem: Problem,
  parts: { readonly train: Rows; readonly validation?: Rows },
  options: FitOptions,
  run: FitRun,
): Promise<Fit> => {
  const { train, validation } = parts
  invariant(train.rows > 0, 'rows to train on')
  const adam: AdamOptions = { ...adamDefaults, ...options }
  const random = createRandom(run.seed, 1)
  const batchRows = Math.min(options.batchRows, train.rows)
  const steps = Math.floor(train.rows / batchRows)
  const count = parameterCount(problem.parameters)
  let state: State = {
    weights: (options.initial ?? initialWeights(problem.parameters, createRandom(run.seed, 2))).slice(),
    first: new Float32Array(count),
    second: new Float32Array(count),
  }
  const fixed = {
    ...tensorsOf(train, problem),
    steps: { shape: [], values: BigInt64Array.of(BigInt(steps)) },
  }
  const order = Int32Array.from({ length: train.rows }, (_, i) => i)
  const stepper = await sessions.open(epochGraph(problem, batchRows, adam))
  const checker = validation && (await sessions.open(lossGraph(problem)))
  try {
    const check = async (): Promise<number> =>
      checker && validation ? lossOf(checker, problem, state.weights, validation) : Number.NaN
    const epochs: Epoch[] = [{ epoch: 0, trainLoss: Number.NaN, validationLoss: await check() }]
    let best = { epoch: epochs[0] as Epoch, weights: state.weights }
    const last = Math.min(options.epochsMax, options.stopAfterEpochs ?? Infinity)
    for (let epoch = 1; epoch <= last; epoch++) {
      run.signal.throwIfAborted()
      shuffle(order, random)
      const { losses, nextWeights, nextFirst, nextSecond } = await stepper.run({
        ...fixed,
        ...Object.fromEntries(Object.entries(state).map(([name, values]) => [name, listOf(values)])),
        ...scalarsOf(epoch, steps, options, adam),
        order: { shape: [steps, batchRows], values: order.subarray(0, steps * batchRows) },
      })
      state = { weights: nextWeights, first: nextFirst, second: nextSecond } as State
      const now: Epoch = { epoch, trainLoss: meanOf(losses), validationLoss: await check() }
      if (!Number.isFinite(now.trainLoss)) throw divergedAt(epoch, options.learningRate)
      epochs.push(now)
      run.onEpoch?.(now)
      if (!validation || now.validationLoss < best.epoch.validationLoss)
        best = { epoch: now, weights: state.weights }
      if (epoch - best.epoch.epoch >= options.patienceEpochs) break
    }
    return { weights: best.weights, best: best.epoch, epochs }
  } finally {
    await stepper.close()
    await checker?.close()
  }
}

interface State {
  readonly weights: Float32Array
  readonly first: Float32Array
  readonly second: Float32Array
}

const lossOf = async (
  session: GraphSession,
  problem: Problem,
  weights: Float32Array,
  { rows, features, targets }: Rows,
): Promise<number> => {
  let total = 0
  for (let first = 0; first < rows; first += checkRows) {
    const last = Math.min(rows, first + checkRows)
    const part: Rows = {
      rows: last - first,
      features: features.subarray(first * problem.features, last * problem.features),
      targets: targets.subarray(first * problem.targets, last * problem.targets),
    }
    const { loss } = await session.run({ ...tensorsOf(part, problem), weights: listOf(weights) })
    total += Number(loss?.[0]) * part.rows
  }
  return total / rows
}

const tensorsOf = (
  { rows, features, targets }: Rows,
  problem: Problem,
): Record<'features' | 'targets', Tensor> => ({
  features: { shape: [rows, problem.features], values: features },
  targets: { shape: [rows, problem.targets], values: targets },
})

const listOf = (values: Float32Array): Tensor => ({ shape: [values.length], values })

const scalarsOf = (
  epoch: number,
  steps: number,
  { learningRate, schedule, epochsMax }: FitOptions,
  adam: AdamOptions,
): Record<string, Tensor> => {
  const lists = {
    rate: new Float32Array(steps),
    firstScale: new Float32Array(steps),
    secondScale: new Float32Array(steps),
  }
  for (let i = 0; i < steps; i++) {
    const done = (epoch - 1) * steps + i
    const rate = learningRate * rateFactor(schedule, done / (steps * epochsMax))
    const scalars = adamScalars(done + 1, rate, adam)
    lists.rate[i] = scalars.rate
    lists.firstScale[i] = scalars.firstScale
    lists.secondScale[i] = scalars.secondScale
  }
  return Object.fromEntries(Object.entries(lists).map(([name, values]) => [name, listOf(values)]))
}

/** Source: Durstenfeld, algorithm 235 (1964). */
export const shuffle = (order: Int32Array, random: Random): void => {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const kept = order[i] as number
    order[i] = order[j] as number
    order[j] = kept
  }
}

const meanOf = (values: TensorValues | undefined): number => {
  let total = 0
  for (const value of (values ?? []) as Float32Array) total += value
  return total / (values?.length ?? 1)
}

export const divergedAt = (epoch: number, rate: number): Failure =>
  new Failure('DIVERGED', `the loss is no number any more after epoch ${epoch}`, {
    hint: `a learning rate below ${rate}, or a limit for the gradient's norm`,
  })
