/**
 * Which number a batch travels under, and what an acknowledgement means for the batches that have one.
 *
 *   held, no number ──admit──▶ window: numbered, may have left ──acknowledged──▶ gone
 *          ▲                        │
 *          └── the coordinator knows more than was ever given ──┘
 *
 * A batch gets its number when it enters the window, on disk before it leaves: live readings can overtake a backlog,
 * and a number that may have left stays with its batch over every power cut. The coordinator remembers each sequence
 * it ever stored, an agent may have lost its disk: so an empty outbox gives no number before the first
 * acknowledgement says where to continue, and one above all that was given means that an old disk was put back. Then
 * the window gives its numbers up. Sequences never go back; at worst a batch is sent twice, under two numbers, which
 * the coordinator's counting of filled slots takes as one.
 */

import { invariant } from '@imlma/protocol/result'

export interface Numbered {
  readonly seq: number
  readonly id: number
  /** Left beside live readings and not as one of them. */
  readonly isBacklog: boolean
}

export interface Numbering {
  /** The number that the next batch gets; null: no acknowledgement was ever seen. */
  readonly next: number | null
  /** False where the file was broken: numbers may be missing, so nothing leaves before the coordinator has spoken. */
  readonly isConfirmed: boolean
  /** Ascending; holes only where a batch was dropped after it had its number. */
  readonly window: readonly Numbered[]
}

export interface Acknowledged {
  readonly numbering: Numbering
  /** Batches that the coordinator has. */
  readonly removed: readonly Numbered[]
  readonly renumbered: boolean
}

/** Numbered batches at most: more open places than that the coordinator does not keep apart. */
export const numberedMax = 256

/** Sequences stay far below 2⁵³: one false acknowledgement must not use the numbers up. */
const sequenceMax = 2 ** 52

export const mayLeave = ({ next, isConfirmed }: Numbering): boolean => next !== null && isConfirmed

/** The sequence before the oldest batch that has one; undefined while there are none. */
export const toAcknowledged = ({ next, window }: Numbering): number | undefined => {
  const first = window[0]?.seq ?? next
  return first === null ? undefined : first - 1
}

/** Numbers for these batches, in this order. */
export const admit = (numbering: Numbering, batches: readonly Omit<Numbered, 'seq'>[]): Numbering => {
  const { next, window } = numbering
  invariant(next !== null && window.length + batches.length <= numberedMax, 'numbers are given within bounds')
  const numbered = batches.map(({ id, isBacklog }, i) => ({ seq: next + i, id, isBacklog }))
  return { ...numbering, next: next + batches.length, window: [...window, ...numbered] }
}

/** Without batches that are not there any more; their numbers are not given again. */
export const without = (numbering: Numbering, ids: ReadonlySet<number>): Numbering => ({
  ...numbering,
  window: numbering.window.filter(({ id }) => !ids.has(id)),
})

/** What changes with an acknowledgement; undefined where it cannot be one, or says nothing new. */
export const stepAck = (numbering: Numbering, seq: number): Acknowledged | undefined => {
  if (!Number.isSafeInteger(seq) || seq < 0 || seq > sequenceMax) return undefined
  const { next, window, isConfirmed } = numbering
  if (next === null || seq >= next) {
    return { numbering: { next: seq + 1, isConfirmed: true, window: [] }, removed: [], renumbered: true }
  }
  const removed = window.filter((each) => each.seq <= seq)
  if (removed.length === 0 && isConfirmed) return undefined
  const rest = window.slice(removed.length)
  return { numbering: { next, isConfirmed: true, window: rest }, removed, renumbered: false }
}
