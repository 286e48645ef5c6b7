/** Where readings come from. A source knows its meters and hands readings to the sink; the outbox is the sink. */

import type { SourceFigures } from './source-figures.ts'
import type { AppendOptions, Backlog } from '../outbox/outbox.ts'
import type { ReadingSeries } from '@imlma/protocol/wire'

/** What a source sees of the outbox. */
export interface ReadingSink {
  /** Durable on return. Throws `Failure`; a retryable one stored nothing and may be tried again. */
  readonly append: (series: readonly ReadingSeries[], options: AppendOptions) => void
  readonly position: (source: string) => string | undefined
  readonly backlog: () => Pick<Backlog, 'batches' | 'bytes'>
}

/** One series that a source brings. */
export interface SourceSeries {
  readonly meter: string
  readonly register: string
  readonly intervalMs: number
  /** null where nobody said. */
  readonly unit: string | null
}

export type SourceState = 'stopped' | 'connecting' | 'history' | 'live' | 'held back' | 'ended' | 'failed'

export interface Source {
  /** Names the cursor: keep it over restarts. */
  readonly name: string
  /** As far as they are known before anything came. */
  readonly series: readonly SourceSeries[]
  readonly state: () => SourceState
  /** What came and what could not be read; of sources that read what others write. */
  readonly figures?: () => SourceFigures
  readonly start: () => void
  /** Resolves when nothing of the source runs any more. */
  readonly stop: () => Promise<void>
}
