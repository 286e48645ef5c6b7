/** From the store to a frozen snapshot on disk, or to the reason why there is none. */

import { accept, type Result } from '@imlma/protocol/result'
import type { ReadingsReader } from '../storage/readings.ts'
import { selectReadings, type Selected, type Selection, type SelectionRefusal } from './select.ts'
import { freezeSnapshot, type FrozenSnapshot } from './snapshot.fs.ts'

export interface FrozenDataset extends Selected {
  readonly snapshot: FrozenSnapshot
}

export interface DatasetParts {
  readonly readings: ReadingsReader
  /** Where snapshots lie, each under its own SHA-256. */
  readonly folder: string
}

/** Throws `Failure` NO_SPACE, WRITE_FAILED, STORE_FAILED. */
export const freezeDataset = async (
  { readings, folder }: DatasetParts,
  selection: Selection,
): Promise<Result<FrozenDataset, SelectionRefusal>> => {
  const selected = selectReadings(readings, selection)
  if (!selected.ok) return selected
  return accept({ ...selected.value, snapshot: await freezeSnapshot({ folder }, selected.value.content) })
}
