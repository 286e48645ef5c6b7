/** Batches that were stored a moment ago and are not folded yet, still decoded: most are decoded once this way. */

import type { ReadingBatch } from '@imlma/protocol/wire'

export interface RecentBatches {
  readonly remember: (id: number, batch: ReadingBatch) => void
  /** The batch of this row, once. */
  readonly take: (id: number) => ReadingBatch | undefined
  /** After a rollback: the rows are gone, and their ids will be given to other batches. */
  readonly forget: () => void
}

/** What a decoded series takes beside its values: an object, a typed array and its strings. */
const bytesPerSeries = 400

/** Remembers up to about `bytesMax`; what comes beyond is decoded again when it is its turn. */
export const createRecentBatches = (bytesMax: number): RecentBatches => {
  const batches = new Map<number, ReadingBatch>()
  let bytes = 0
  return {
    remember: (id, batch) => {
      const more = bytesOf(batch)
      if (bytes + more > bytesMax) return
      batches.set(id, batch)
      bytes += more
    },
    take: (id) => {
      const batch = batches.get(id)
      if (batch === undefined) return undefined
      batches.delete(id)
      bytes -= bytesOf(batch)
      return batch
    },
    forget: () => {
      batches.clear()
      bytes = 0
    },
  }
}

const bytesOf = (batch: ReadingBatch): number =>
  bytesPerSeries * batch.series.length + Float32Array.BYTES_PER_ELEMENT * countValues(batch)

/** Readings that a batch carries, missing ones included. */
export const countValues = ({ series }: ReadingBatch): number =>
  series.reduce((sum, { values }) => sum + values.length, 0)
