/**
 * Passes over any number of rows, cut so that one of them is short and small: what is asked for may be a batch of
 * thousands of long sequences, and still the memory stays bounded and a training can be stopped within a second.
 */
import type { Random } from '../../tuning/random.ts'
import type { Rows } from '../engine/problem.ts'
import { batchOf, dropoutMask, targetsOf } from './batches.ts'
import type { LossAndGradient, LossName, RecurrentPasses } from './engine.ts'
import type { Network } from './network.ts'

export interface RowPasses {
  /** Mean loss of the rows with these numbers and its slope by every weight. */
  slopes(
    weights: Float32Array,
    rows: Rows,
    numbers: Int32Array,
    dropped: { readonly share: number; readonly random: Random },
  ): Promise<LossAndGradient>
  /** The trainer's own answers: numbers × H, standardised. */
  answers(weights: Float32Array, rows: Pick<Rows, 'features'>, numbers: Int32Array): Promise<Float32Array>
  /** Mean loss; of many rows some, evenly spread, are enough to tell epochs apart. */
  loss(weights: Float32Array, rows: Rows, loss: LossName): Promise<number>
}

/**
 * Rows × steps × units × units of one pass, where a row of units counts as 64 at the least because a step costs even
 * where it computes little. Measured: half a second there and back, and 40 MB that are kept for the way back.
 */
const passWorkMax = 120_000_000

/** Rows whose loss is looked at after an epoch. */
const lossRowsMax = 4_096

/** Every call throws the signal's reason when it is aborted. */
export const createRowPasses = (
  passes: RecurrentPasses,
  { count, plan, sizes }: Network,
  signal: AbortSignal,
  workMax = passWorkMax,
): RowPasses => {
  const { steps, units, horizon } = sizes
  const passRows = Math.max(1, Math.floor(workMax / (steps * units * Math.max(64, units))))
  const cut = function* (numbers: Int32Array): Generator<Int32Array> {
    for (let first = 0; first < numbers.length; first += passRows) {
      signal.throwIfAborted()
      yield numbers.subarray(first, first + passRows)
    }
  }
  const answers: RowPasses['answers'] = async (weights, rows, numbers) => {
    const all = new Float32Array(numbers.length * horizon)
    let at = 0
    for (const some of cut(numbers)) {
      all.set(await passes.forecast(weights, batchOf(rows, count, plan, some)), at)
      at += some.length * horizon
    }
    return all
  }
  return {
    answers,
    slopes: async (weights, rows, numbers, { share, random }) => {
      let total = 0
      const gradient = new Float32Array(weights.length)
      for (const some of cut(numbers)) {
        const one = await passes.lossAndGradient(weights, {
          ...batchOf(rows, count, plan, some),
          targets: targetsOf(rows, horizon, some),
          mask: dropoutMask(some.length * units, share, random),
        })
        const part = some.length / numbers.length
        total += part * one.loss
        for (let i = 0; i < gradient.length; i++)
          gradient[i] = (gradient[i] as number) + part * (one.gradient[i] as number)
      }
      return { loss: total, gradient }
    },
    loss: async (weights, rows, loss) => {
      const numbers = spreadRows(rows.rows, lossRowsMax)
      const targets = targetsOf(rows, horizon, numbers)
      const forecasts = await answers(weights, rows, numbers)
      const losses = forecasts.map((answer, i) => lossOf[loss](Math.abs(answer - (targets[i] as number))))
      return losses.reduce((sum, one) => sum + one, 0) / losses.length
    },
  }
}

/** At most so many of the rows, evenly spread. */
export const spreadRows = (rows: number, rowsMax: number): Int32Array => {
  const length = Math.min(rows, rowsMax)
  return Int32Array.from({ length }, (_, i) => Math.floor((i * rows) / length))
}

/** By the size of an error; the Huber loss grows linearly beyond one deviation. */
const lossOf: Readonly<Record<LossName, (error: number) => number>> = {
  squared: (error) => error * error,
  absolute: (error) => error,
  huber: (error) => (error < 1 ? 0.5 * error * error : error - 0.5),
}
