/** Batches that were stored a moment ago and are not folded yet, still decoded: most are decoded once this way. */

import type { ReadingBatch } from '@imlma/protocol/wire'

export interface RecentBatches {
  readonly remember: (id: number, batch: ReadingBatch) => void
  /** The batch of this row, once. */
  readonly take: (id: number) => ReadingBatch | undefined
  /** After a rollback: the rows are gone, and their ids will be given to other batches. */
  readonly forget: () => void
}

/** Remembers up to about `valuesMax` values; what comes beyond is decoded again when it is its turn. */
export const createRecentBatches = (valuesMax: number): RecentBatches => {
  const batches = new Map<number, ReadingBatch>()
  let values = 0
  return {
    remember: (id, batch) => {
      const more = countValues(batch)
      if (values + more > valuesMax) return
      batches.set(id, batch)
      values += more
    },
    take: (id) => {
      const batch = batches.get(id)
      if (batch === undefined) return undefined
      batches.delete(id)
      values -= countValues(batch)
      return batch
    },
    forget: () => {
      batches.clear()
      values = 0
    },
  }
}

/** Readings that a batch carries, missing ones included. */
export const countValues = ({ series }: ReadingBatch): number =>
  series.reduce((sum, { values }) => sum + values.length, 0)
