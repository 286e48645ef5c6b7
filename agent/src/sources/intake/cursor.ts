/** How far a source has come, as one text: its place in what it reads, and the intervals that it has begun. */

import { parseSnapshot } from './intake.ts'
import type { SeriesState } from './series-state.ts'

export interface IntakeCursor {
  /** Where reading goes on; null for a source that cannot go back. */
  readonly place: unknown
  readonly series: readonly SeriesState[]
}

const version = 1

export const writeCursor = ({ place, series }: IntakeCursor): string =>
  JSON.stringify({ v: version, place, series })

/** undefined where it is none of this version: the source begins anew. */
export const parseCursor = (text: string | undefined): IntakeCursor | undefined => {
  if (text === undefined) return undefined
  try {
    const written = JSON.parse(text) as {
      readonly v?: unknown
      readonly place?: unknown
      readonly series?: unknown
    } | null
    if (written?.v !== version) return undefined
    const series = parseSnapshot(written.series)
    return series === undefined ? undefined : { place: written.place ?? null, series }
  } catch {
    return undefined
  }
}
