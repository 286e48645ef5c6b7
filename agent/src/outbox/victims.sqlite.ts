/** Which batches go when the quota is reached: the oldest of the lowest class, and never the newest of all. */

import { readingClasses } from './classes.ts'
import { batchesOf, bytesOf, type Held } from './held.ts'
import type { Rows, SizedRow } from './rows.sqlite.ts'

export const createVictims = (rows: Pick<Rows, 'ofClass' | 'size' | 'newest'>, bytesMax: number) => {
  /** No old batch without a number has an id up to this one: they need not be looked for again. */
  let noOldUpTo = 0

  /** Those without a number first: of one that has left, the coordinator may know already. */
  const inOrder = function* ({ numbering, removable, totals }: Held): Iterable<SizedRow> {
    const passed = new Set([...numbering.window.map(({ id }) => id), ...removable])
    for (const kind of readingClasses) {
      if (totals[kind].batches === 0) continue
      for (const row of rows.ofClass(kind, kind === 'old' ? noOldUpTo : 0)) {
        if (passed.has(row.id)) continue
        if (kind === 'old') noOldUpTo = row.id - 1
        yield row
      }
    }
    for (const { id } of numbering.window) {
      const row = rows.size(id)
      if (row !== undefined) yield row
    }
  }

  return {
    /** Enough to be within the quota again, where there are enough. */
    choose: (held: Held): readonly SizedRow[] => {
      let bytes = bytesOf(held)
      if (bytes <= bytesMax) return []
      // An outbox that keeps nothing would lose every reading.
      const newest = rows.newest()
      const chosen: SizedRow[] = []
      for (const row of inOrder(held)) {
        if (bytes <= bytesMax || chosen.length >= batchesOf(held) - 1) break
        if (row.id === newest) continue
        chosen.push(row)
        bytes -= row.bytes
      }
      return chosen
    },
    /** Batches have lost their numbers. */
    forget: () => {
      noOldUpTo = 0
    },
  }
}
