/** Standardised rows as batches: the lags time step by time step, the other columns row by row. */
import type { Rows } from '../engine/problem.ts'
import type { Random } from '../../tuning/random.ts'
import type { Batch } from './engine.ts'
import type { SequencePlan } from './sequence.ts'

/** The rows with these numbers. `features` are standardised, as many columns as `count`. */
export const batchOf = (
  { features }: Pick<Rows, 'features'>,
  count: number,
  { steps, inputs, sequence, rest }: SequencePlan,
  numbers: ArrayLike<number>,
): Batch => {
  const rows = numbers.length
  const batch = {
    rows,
    sequence: new Float32Array(steps * rows * inputs),
    rest: new Float32Array(rows * rest.length),
  }
  for (let row = 0; row < rows; row++) {
    const offset = (numbers[row] as number) * count
    for (let step = 0; step < steps; step++) {
      const at = (step * rows + row) * inputs
      for (let i = 0; i < inputs; i++)
        batch.sequence[at + i] = features[offset + (sequence[step * inputs + i] as number)] as number
    }
    for (let i = 0; i < rest.length; i++)
      batch.rest[row * rest.length + i] = features[offset + (rest[i] as number)] as number
  }
  return batch
}

/** The targets of the rows with these numbers. */
export const targetsOf = (
  { targets }: Pick<Rows, 'targets'>,
  horizon: number,
  numbers: ArrayLike<number>,
): Float32Array => {
  const picked = new Float32Array(numbers.length * horizon)
  for (let row = 0; row < numbers.length; row++) {
    const from = (numbers[row] as number) * horizon
    picked.set(targets.subarray(from, from + horizon), row * horizon)
  }
  return picked
}

/** 0 for the share that is dropped; the others grow by what is lost. Null where nothing is dropped. */
export const dropoutMask = (size: number, share: number, random: Random): Float32Array | null =>
  share === 0
    ? null
    : Float32Array.from({ length: size }, () => (random.uniform() < share ? 0 : 1 / (1 - share)))
