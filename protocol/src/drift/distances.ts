/**
 * How far two sets of counts over the same bins lie apart. PSI and KL fill empty bins with 0.0001 (they would be
 * infinite); the others take the shares as they are.
 */
import { invariant } from '../result.ts'

const emptyShare = 0.0001

type Counts = ArrayLike<number>

/** Population stability index, Σ (p − q)·ln(p / q), natural logarithm; symmetric. */
export const psiOf = (reference: Counts, current: Counts): number => {
  const p = filled(sharesOf(reference))
  const q = filled(sharesOf(current))
  return sum(p, (share, i) => (share - (q[i] as number)) * Math.log(share / (q[i] as number)))
}

/** Kullback-Leibler divergence of the reference from the current, in nats; filled shares are scaled to one again. */
export const klOf = (reference: Counts, current: Counts): number => {
  const p = normalised(filled(sharesOf(reference)))
  const q = normalised(filled(sharesOf(current)))
  return sum(p, (share, i) => share * Math.log(share / (q[i] as number)))
}

/** Jensen-Shannon distance (the root of the divergence), natural logarithm: 0 … √ln 2. */
export const jensenShannonOf = (reference: Counts, current: Counts): number => {
  const p = sharesOf(reference)
  const q = sharesOf(current)
  const toMean = (a: readonly number[], b: readonly number[]): number =>
    sum(a, (share, i) => (share > 0 ? share * Math.log((2 * share) / (share + (b[i] as number))) : 0))
  return Math.sqrt(Math.max(0, toMean(p, q) + toMean(q, p)) / 2)
}

/** Hellinger distance: 0 … 1. */
export const hellingerOf = (reference: Counts, current: Counts): number => {
  const p = sharesOf(reference)
  const q = sharesOf(current)
  return Math.sqrt(sum(p, (share, i) => (Math.sqrt(share) - Math.sqrt(q[i] as number)) ** 2) / 2)
}

const sharesOf = (counts: Counts): readonly number[] => {
  const list = Array.from(counts)
  const total = sum(list, (count) => count)
  invariant(total > 0, 'a distance needs at least one row on each side')
  return list.map((count) => count / total)
}

const filled = (shares: readonly number[]): readonly number[] =>
  shares.map((share) => (share === 0 ? emptyShare : share))

const normalised = (shares: readonly number[]): readonly number[] => {
  const total = sum(shares, (share) => share)
  return shares.map((share) => share / total)
}

const sum = (list: readonly number[], of: (value: number, index: number) => number): number =>
  list.reduce((total, value, i) => total + of(value, i), 0)
