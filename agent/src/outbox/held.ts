/** What an outbox holds, as one value: how it is numbered, which batches are live, how much there is of each class. */

import { invariant } from '@imlma/protocol/result'
import { toClass, type ReadingClass } from './classes.ts'
import { liveBatchesMax, withLive } from './lanes.ts'
import type { Numbering } from './sequence.ts'

interface Totals {
  readonly batches: number
  readonly bytes: number
  readonly readings: number
}

interface Sized {
  readonly id: number
  readonly bytes: number
  readonly readings: number
  readonly historical: 0 | 1
}

export interface Held {
  readonly numbering: Numbering
  /** The live lane (`lanes.ts`), ascending ids. */
  readonly live: readonly number[]
  readonly totals: Readonly<Record<ReadingClass, Totals>>
  /** Acknowledged, and still on disk. */
  readonly removable: readonly number[]
}

/** `newestLive`: more of them than the lane holds, as some may have a number. */
export const toHeld = (numbering: Numbering, newestLive: readonly number[], totals: Held['totals']): Held => {
  const numbered = new Set(numbering.window.map(({ id }) => id))
  const live = newestLive.filter((id) => !numbered.has(id)).slice(-liveBatchesMax)
  return { numbering, live, totals, removable: [] }
}

export const withAdded = (held: Held, batch: Sized): Held => ({
  ...held,
  live: batch.historical === 1 ? held.live : withLive(held.live, batch.id),
  totals: change(held.totals, batch, 1),
})

/** Without these in the totals. */
export const withRemoved = (held: Held, gone: readonly Sized[]): Held => ({
  ...held,
  totals: gone.reduce((totals, batch) => change(totals, batch, -1), held.totals),
})

export const batchesOf = ({ totals }: Held): number => totals.old.batches + totals.recent.batches

export const bytesOf = ({ totals }: Held): number => totals.old.bytes + totals.recent.bytes

const change = (totals: Held['totals'], batch: Sized, sign: 1 | -1): Held['totals'] => {
  const kind = toClass(batch.historical === 1)
  const { batches, bytes, readings } = totals[kind]
  invariant(batches + sign >= 0, 'no more is removed than was there')
  return {
    ...totals,
    [kind]: {
      batches: batches + sign,
      bytes: bytes + sign * batch.bytes,
      readings: readings + sign * batch.readings,
    },
  }
}
