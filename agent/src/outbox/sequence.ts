/**
 * Which number a batch travels under, and what an acknowledgement means for the batches held.
 *
 * Rows have ids of their own; the sequence is `id + offset`. The coordinator remembers every sequence it ever stored,
 * an agent may have lost its disk. So an empty outbox has no offset: the coordinator's first acknowledgement fixes it.
 * An acknowledgement above everything that can have been sent means that an old disk was put back, and moves the
 * offset up. Sequences therefore never go back; at worst a batch is sent twice, under two numbers, which the
 * coordinator's counting of filled slots takes as one.
 */

export interface Numbering {
  /** null: no acknowledgement was ever seen. */
  readonly offset: number | null
  /** Id of the oldest batch held, or the id that the next one will get. */
  readonly oldestId: number
  /** Highest id that may have left: all that were there at the start of this process, and all handed out since. */
  readonly handedOutId: number
}

export type AckDecision =
  | { readonly kind: 'remove'; readonly upToId: number }
  | { readonly kind: 'renumber'; readonly offset: number }
  | { readonly kind: 'ignore' }

/** Sequences stay far below 2⁵³: one false acknowledgement must not use the numbers up. */
const sequenceMax = 2 ** 52

export const decideAck = ({ offset, oldestId, handedOutId }: Numbering, seq: number): AckDecision => {
  if (!Number.isSafeInteger(seq) || seq < 0 || seq > sequenceMax) return { kind: 'ignore' }
  const above = seq - oldestId + 1
  if (offset === null || seq - offset > handedOutId) return { kind: 'renumber', offset: above }
  const upToId = seq - offset
  return upToId < oldestId ? { kind: 'ignore' } : { kind: 'remove', upToId }
}
