/** The projections as they must be, built from the events in memory, and where the stored ones differ from them. */

import { invariant } from '@imlma/protocol/result'
import { canonicalJson } from '@imlma/protocol/trust'
import { projectionKeys, type Projection, type Row, type RowChange } from './project.ts'
import type { ChainFault } from './registry.ts'

/** Rows of every projection by their key. */
export type Projections = ReadonlyMap<Projection, Map<string, Row>>

export const emptyProjections = (): Projections =>
  new Map((Object.keys(projectionKeys) as Projection[]).map((table) => [table, new Map<string, Row>()]))

/** Applies the changes in place, as the database does. A change to a row that is not there breaks an invariant. */
export const applyChanges = (projections: Projections, changes: readonly RowChange[]): void => {
  for (const change of changes) {
    const rows = projections.get(change.table) as Map<string, Row>
    const key = keyOf(change.table, change.kind === 'change' ? change.key : change.row)
    const before = rows.get(key)
    if (change.kind === 'change') {
      invariant(before !== undefined, `${change.table} ${key} is there before it changes`)
      rows.set(key, { ...before, ...change.values })
    } else {
      rows.set(key, change.row)
    }
  }
}

/** The fault with the lowest sequence among rows of `table` that are missing, changed or too many. */
export const projectionFault = (
  projections: Projections,
  table: Projection,
  stored: readonly Row[],
): ChainFault | undefined => {
  const expected = new Map(projections.get(table))
  const faults: ChainFault[] = []
  for (const row of stored) {
    const key = keyOf(table, row)
    const want = expected.get(key)
    expected.delete(key)
    if (want === undefined) {
      faults.push({ seq: Number(row['seq']), message: `${table} ${key} follows from no event` })
    } else if (canonicalJson(want) !== canonicalJson(row)) {
      faults.push({ seq: Number(want['seq']), message: `${table} ${key} is not what its events say` })
    }
  }
  for (const [key, want] of expected) {
    faults.push({ seq: Number(want['seq']), message: `${table} ${key} is missing` })
  }
  return earliest(faults)
}

export const earliest = (faults: readonly ChainFault[]): ChainFault | undefined =>
  faults.toSorted((a, b) => a.seq - b.seq)[0]

const keyOf = (table: Projection, row: Row): string =>
  projectionKeys[table].map((column) => String(row[column])).join(' ')
