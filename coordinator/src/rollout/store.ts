/** What must survive of a rollout: the last assignment of each agent, and which outcomes were already recorded. */

import type { Assignment } from './assignment.ts'

export interface RolloutEntry {
  readonly site: string
  readonly agent: string
  readonly assignment: Assignment | null
  /** Per model: the last outcome and pin that the registry was told. */
  readonly recorded: Readonly<Record<string, Recorded>>
}

export interface Recorded {
  readonly outcome: string
  readonly pinned: boolean
}

export interface RolloutStore {
  readonly load: () => Promise<readonly RolloutEntry[]>
  /** Durable on return, all or none: a counter must be on disk before an agent sees it. */
  readonly save: (entries: readonly RolloutEntry[]) => Promise<void>
}
