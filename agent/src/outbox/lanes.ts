/**
 * Which batches leave next: live ones first, and beside them the backlog from its oldest on.
 *
 *   held:   ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ │ ■ ■ ■
 *           └─ backlog, oldest first ┘ └ live: the newest few that came live
 *
 * The lanes are a matter of what waits and not of the clock, which may be wrong: when the link keeps up, everything is
 * live; when it was away, or is slower than the sources, what falls out of the live lane is backlog.
 */

/** Batches of the live lane: a quarter of an hour of 1-minute readings; what waits longer is no news. */
export const liveBatchesMax = 16

export interface Room {
  /** Batches that may get a number now. */
  readonly batchesMax: number
  /** Backlog among the numbered ones. */
  readonly backlogMax: number
  /** Backlog that has a number already. */
  readonly backlogNumbered: number
}

export interface Lanes {
  /** Live ids without a number, ascending. */
  readonly live: readonly number[]
  /** At most so many ids of the backlog, oldest first. */
  readonly backlog: (count: number) => readonly number[]
}

export const chooseNext = (
  { live, backlog }: Lanes,
  { batchesMax, backlogMax, backlogNumbered }: Room,
): readonly { readonly id: number; readonly isBacklog: boolean }[] => {
  const first = live.slice(0, batchesMax)
  // Numbers are on disk before they leave: several at a time spare the flash.
  const places = backlogNumbered * 2 > backlogMax ? 0 : backlogMax - backlogNumbered
  const beside = Math.min(places, batchesMax - first.length)
  return [
    ...first.map((id) => ({ id, isBacklog: false })),
    ...(beside > 0 ? backlog(beside) : []).map((id) => ({ id, isBacklog: true })),
  ]
}

/** The live lane after a batch more; what falls out at its old end is backlog. */
export const withLive = (live: readonly number[], id: number): readonly number[] => [
  ...live.slice(-(liveBatchesMax - 1)),
  id,
]
