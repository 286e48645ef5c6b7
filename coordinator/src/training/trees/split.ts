/**
 * The best place to divide a node: the column, the bin and the side of missing values that lower the loss most,
 * gain = G_L²/(n_L+λ) + G_R²/(n_R+λ) − G²/(n+λ). Under monotone constraints the children's values are held between
 * bounds, gains are those of the values so held, and a division in the wrong order is none (the "basic" method of
 * LightGBM). Values and gains here are in the integer units of the histogram.
 */
import { rowsIn } from './histogram.ts'

export interface SplitRules {
  /** At least 1. Every loss here has a second derivative of one: the weight of a child is its rows. */
  readonly rowsMin: number
  readonly l2: number
  /** Per column −1, 0 or 1; null where no column is constrained. */
  readonly monotone: Int8Array | null
}

/** What is looked through: the histograms of `columns`, each from its offset on. */
export interface Scene {
  readonly offsets: Int32Array
  readonly columns: Int32Array
  /** One row in a packed sum. */
  readonly unit: number
  readonly rules: SplitRules
}

/** A node to divide: its packed sum, and the bounds of its values. */
export interface Divisible {
  readonly total: number
  readonly low: number
  readonly high: number
}

/** One is made and reused; `column` is −1 where nothing divides the node. */
export interface Split {
  gain: number
  column: number
  bin: number
  missingLeft: boolean
  /** Packed sum of the left child. */
  left: number
  leftValue: number
  rightValue: number
}

export const createSplit = (): Split => ({
  gain: 0,
  column: -1,
  bin: 0,
  missingLeft: false,
  left: 0,
  leftValue: 0,
  rightValue: 0,
})

/** A gain below this share of the node's own score is rounding. */
const roundingShare = 1e-12

export const findSplit = (
  split: Split,
  histogram: Float64Array,
  { offsets, columns, unit, rules }: Scene,
  { total, low, high }: Divisible,
): void => {
  const { rowsMin, l2, monotone } = rules
  const rows = rowsIn(total, unit)
  const gradient = total - rows * unit
  const own = scoreAt(valueOf(gradient, rows, l2, low, high), gradient, rows, l2)
  let best = own * roundingShare
  split.column = -1
  for (let c = 0; c < columns.length; c++) {
    const column = columns[c] as number
    const first = offsets[column] as number
    const missingAt = (offsets[column + 1] as number) - 1
    const missing = histogram[missingAt] as number
    const direction = monotone === null ? 0 : (monotone[column] as number)
    // First with the missing rows on the right, then, where there are any, on the left.
    for (let pass = 0; pass < (missing === 0 ? 1 : 2); pass++) {
      let left = pass === 0 ? 0 : missing
      for (let at = first; at < missingAt; at++) {
        const sum = histogram[at] as number
        if (sum === 0) continue
        left += sum
        const leftRows = Math.floor(left / unit + 0.5)
        if (leftRows < rowsMin) continue
        const rightRows = rows - leftRows
        if (rightRows < rowsMin) break
        const leftGradient = left - leftRows * unit
        const rightGradient = gradient - leftGradient
        let gain = -own
        if (monotone === null) {
          gain += (leftGradient * leftGradient) / (leftRows + l2)
          gain += (rightGradient * rightGradient) / (rightRows + l2)
        } else {
          const leftValue = valueOf(leftGradient, leftRows, l2, low, high)
          const rightValue = valueOf(rightGradient, rightRows, l2, low, high)
          if ((rightValue - leftValue) * direction < 0) continue
          gain += scoreAt(leftValue, leftGradient, leftRows, l2)
          gain += scoreAt(rightValue, rightGradient, rightRows, l2)
        }
        if (gain <= best) continue
        best = gain
        split.gain = gain
        split.column = column
        split.bin = at - first
        split.left = left
        split.leftValue = valueOf(leftGradient, leftRows, l2, low, high)
        split.rightValue = valueOf(rightGradient, rightRows, l2, low, high)
        // What was never missing here goes with the larger part.
        split.missingLeft = missing === 0 ? leftRows >= rightRows : pass === 1
      }
    }
  }
}

/** The value that minimises a node's loss, held between the bounds. */
const valueOf = (gradient: number, rows: number, l2: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, -gradient / (rows + l2)))

/** Twice the loss that a value takes away. */
const scoreAt = (value: number, gradient: number, rows: number, l2: number): number =>
  -(2 * gradient * value + (rows + l2) * value * value)
