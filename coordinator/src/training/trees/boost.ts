/**
 * Gradient boosting: tree after tree, each fitted to what the ones before it left unexplained (Friedman 2001), on a
 * seeded sample of rows and columns. With a validation part it stops once that has not become better for a while,
 * and keeps the trees up to its best.
 */
import { createRandom, type Random } from '../../tuning/random.ts'
import type { BinnedTable } from './bins.ts'
import { createGrower, type GrowthRules } from './grow.ts'
import { createLoss, type LossKind } from './loss.ts'
import { addTree, type Tree } from './tree.ts'

export interface BoostRules extends GrowthRules {
  readonly loss: LossKind
  /** Trees. */
  readonly rounds: number
  readonly learningRate: number
  /** Of the rows and of the columns, what each tree sees; above 0. */
  readonly rowShare: number
  readonly columnShare: number
  /** Rounds without a better validation loss after which it ends. */
  readonly patience: number
}

export interface BoostPart {
  readonly table: BinnedTable
  readonly targets: Float64Array
}

export interface Forest {
  /** Every sum begins here; a float32 number. */
  readonly base: number
  readonly trees: readonly Tree[]
}

export interface Boosted {
  readonly forest: Forest
  /** Its forecasts of the training rows, with all trees grown. */
  readonly training: Float64Array
  /** The forest's own forecasts of the validation part; empty without one. */
  readonly validation: Float64Array
  /** Mean validation loss after each round, also of those that were dropped again. */
  readonly losses: readonly number[]
}

/** A better loss is better by this share of it at least: rounding is no progress. */
const progressShare = 1e-7

/** `onRound` may throw to end it. */
export const boost = (
  train: BoostPart,
  validation: BoostPart | null,
  rules: BoostRules,
  seed: number,
  onRound: (round: number, loss: number | undefined) => void = () => undefined,
): Boosted => {
  const { table, targets } = train
  const loss = createLoss(rules.loss)
  const grower = createGrower(table, rules)
  const random = createRandom(seed, rules.rounds)
  const base = Math.fround(loss.start(targets))
  const forecasts = new Float64Array(table.rows).fill(base)
  const gradients = new Float64Array(table.rows)
  const checked = new Float64Array(validation?.table.rows ?? 0).fill(base)
  const kept = checked.slice()
  const outside = new Int32Array(table.rows)
  const everyColumn = Int32Array.from({ length: table.columns }, (_, column) => column)
  const trees: Tree[] = []
  const losses: number[] = []
  let best = { rounds: 0, loss: validation === null ? Infinity : loss.mean(checked, validation.targets) }
  for (let round = 1; round <= rules.rounds; round++) {
    loss.gradients(gradients, forecasts, targets)
    const count = sampleRows(grower.rows, outside, rules.rowShare, random)
    const columns = sampleColumns(everyColumn, rules.columnShare, random)
    const tree = grower.grow(gradients, count, columns, (rows, begin, end, low, high) => {
      if (begin === end) return 0
      const wanted = loss.leafValue(gradients, forecasts, targets, rows, begin, end, rules.l2)
      const value = Math.fround(rules.learningRate * Math.min(high, Math.max(low, wanted)))
      for (let i = begin; i < end; i++) {
        const row = rows[i] as number
        forecasts[row] = (forecasts[row] as number) + value
      }
      return value
    })
    addTree(tree, table, forecasts, outside, table.rows - count)
    trees.push(tree)
    if (validation !== null) {
      addTree(tree, validation.table, checked)
      const now = loss.mean(checked, validation.targets)
      losses.push(now)
      if (now < best.loss * (1 - progressShare)) {
        best = { rounds: round, loss: now }
        kept.set(checked)
      } else if (round - best.rounds >= rules.patience) break
    }
    onRound(round, losses.at(-1))
  }
  const length = validation === null ? trees.length : best.rounds
  return { forest: { base, trees: trees.slice(0, length) }, training: forecasts, validation: kept, losses }
}

/** The sampled rows to the beginning of `inside`, the others to that of `outside`, both ascending; how many inside. */
const sampleRows = (inside: Int32Array, outside: Int32Array, share: number, random: Random): number => {
  let count = 0
  for (let row = 0; row < inside.length; row++) {
    if (share >= 1 || random.uniform() < share) inside[count++] = row
    else outside[row - count] = row
  }
  return count
}

/** Without replacement, ascending; at least one. */
const sampleColumns = (every: Int32Array, share: number, random: Random): Int32Array => {
  if (share >= 1) return every
  const shuffled = every.slice()
  const wanted = Math.max(1, Math.round(share * every.length))
  for (let i = 0; i < wanted; i++) {
    const other = i + random.below(every.length - i)
    ;[shuffled[i], shuffled[other]] = [shuffled[other] as number, shuffled[i] as number]
  }
  return shuffled.slice(0, wanted).toSorted()
}
