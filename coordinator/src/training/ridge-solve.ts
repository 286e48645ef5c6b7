/**
 * Ridge weights from Gram sums. Every step of the horizon is a regression of its own; all share the block of shared
 * columns, which is factored once, and each adds its own few columns by block elimination (Schur complement).
 */
import { choleskyOf, solveLower, solveUpper } from './cholesky.ts'
import type { GramSums } from './gram.ts'

/** Which columns of the Gram matrix (0 is the constant) a step may use: the first `shared`, then `perStep` of its own. */
export interface Design {
  readonly shared: number
  readonly perStep: number
}

/** The Gram column of a step's `i`-th own column. */
const ownColumn = ({ shared, perStep }: Design, step: number, i: number): number =>
  shared + step * perStep + i

/**
 * Weights (size × horizon, row-major, zero where a step may not look) that minimise the squared error plus
 * λ · rows · |w|², the constant unpenalised; λ > 0.
 */
export const solveRidge = (sums: GramSums, design: Design, lambda: number): Float64Array => {
  const { size, horizon, gram, moments } = sums
  const { shared, perStep } = design
  const penalty = lambda * sums.rows
  const block = new Float64Array(shared * shared)
  for (let i = 0; i < shared; i++) {
    block.set(gram.subarray(i * size, i * size + shared), i * shared)
    if (i > 0) block[i * shared + i] = (block[i * shared + i] as number) + penalty
  }
  const factor = choleskyOf(block, shared)
  const weights = new Float64Array(size * horizon)
  const right = new Float64Array(shared * horizon)
  right.set(moments.subarray(0, shared * horizon))
  solveLower(factor, shared, right, horizon)
  if (perStep === 0) {
    solveUpper(factor, shared, right, horizon)
    weights.set(right)
    return weights
  }
  for (let step = 0; step < horizon; step++) {
    const cross = crossBlock(sums, design, step)
    solveLower(factor, shared, cross, perStep)
    const own = solveOwn(sums, design, step, penalty, cross, right)
    const remaining = new Float64Array(shared)
    for (let i = 0; i < shared; i++) {
      let sum = right[i * horizon + step] as number
      for (let k = 0; k < perStep; k++) sum -= (cross[i * perStep + k] as number) * (own[k] as number)
      remaining[i] = sum
    }
    solveUpper(factor, shared, remaining, 1)
    for (let i = 0; i < shared; i++) weights[i * horizon + step] = remaining[i] as number
    for (let k = 0; k < perStep; k++) weights[ownColumn(design, step, k) * horizon + step] = own[k] as number
  }
  return weights
}

/** The Gram block between the shared columns and a step's own: shared × perStep. */
const crossBlock = ({ gram, size }: GramSums, design: Design, step: number): Float64Array => {
  const { shared, perStep } = design
  const cross = new Float64Array(shared * perStep)
  for (let i = 0; i < shared; i++) {
    const from = i * size + ownColumn(design, step, 0)
    cross.set(gram.subarray(from, from + perStep), i * perStep)
  }
  return cross
}

/** A step's own weights, from the Schur complement of the shared block; `cross` and `right` are already divided by L. */
const solveOwn = (
  { gram, moments, size, horizon }: GramSums,
  design: Design,
  step: number,
  penalty: number,
  cross: Float64Array,
  right: Float64Array,
): Float64Array => {
  const { shared, perStep } = design
  const complement = new Float64Array(perStep * perStep)
  const own = new Float64Array(perStep)
  for (let k = 0; k < perStep; k++) {
    const column = ownColumn(design, step, k)
    own[k] = moments[column * horizon + step] as number
    for (let l = 0; l <= k; l++)
      complement[k * perStep + l] = gram[column * size + ownColumn(design, step, l)] as number
    complement[k * perStep + k] = (complement[k * perStep + k] as number) + penalty
  }
  for (let i = 0; i < shared; i++) {
    const target = right[i * horizon + step] as number
    for (let k = 0; k < perStep; k++) {
      const value = cross[i * perStep + k] as number
      own[k] = (own[k] as number) - value * target
      for (let l = 0; l <= k; l++) {
        complement[k * perStep + l] =
          (complement[k * perStep + l] as number) - value * (cross[i * perStep + l] as number)
      }
    }
  }
  const factor = choleskyOf(complement, perStep)
  solveLower(factor, perStep, own, 1)
  solveUpper(factor, perStep, own, 1)
  return own
}

/** Per step: the sum of squared errors of these weights over the rows of `sums`. */
export const squaredErrorsOf = (sums: GramSums, weights: Float64Array): Float64Array => {
  const { size, horizon, gram, moments, targetSquares } = sums
  const own = new Float64Array(size)
  return targetSquares.map((squares, step) => {
    const used: number[] = []
    for (let i = 0; i < size; i++) {
      own[i] = weights[i * horizon + step] as number
      if (own[i] !== 0) used.push(i)
    }
    let error = squares
    for (const i of used) {
      const row = i * size
      let product = -2 * (moments[i * horizon + step] as number)
      for (const j of used) product += (gram[row + j] as number) * (own[j] as number)
      error += product * (own[i] as number)
    }
    return Math.max(0, error)
  })
}
