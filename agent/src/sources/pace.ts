/** Which slots of a block may leave now: history at once, live ones when their interval is over on the event clock. */

import type { FeedPosition } from './feed.ts'

export interface Pace {
  /** Event seconds per real second. */
  readonly speed: number
  /** Live slots of one append: a forecast per interval wants to see each interval close. */
  readonly slotsPerAppendMax: number
  /** A feed that can wait does, while so much waits for the coordinator. */
  readonly backlogBatchesMax: number
  readonly backlogBytesMax: number
}

export const paceDefaults: Pace = {
  speed: 1,
  slotsPerAppendMax: 96,
  backlogBatchesMax: 64,
  backlogBytesMax: 64 * 1_048_576,
}

/** The end (exclusive) of the slots that may leave, in slots of the block; `from` where none may. */
export const toDueSlots = (
  block: { readonly start: number; readonly slots: number },
  from: number,
  { liveFrom }: Pick<FeedPosition, 'liveFrom'>,
  intervalMs: number,
  eventNow: number,
  { slotsPerAppendMax }: Pace,
): number => {
  const liveSlot = Math.max(0, Math.ceil((liveFrom - block.start) / intervalMs))
  if (from < liveSlot) return Math.min(liveSlot, block.slots)
  const complete = Math.floor((eventNow - block.start) / intervalMs)
  return Math.max(from, Math.min(complete, block.slots, from + slotsPerAppendMax))
}

/**
 * Real meters do not wait, and what stands for them at speed 1 does not either: then the outbox's quota decides. What is
 * read from history or runs faster than real time can wait.
 */
export const mustWait = (
  backlog: { readonly batches: number; readonly bytes: number },
  isLive: boolean,
  { speed, backlogBatchesMax, backlogBytesMax }: Pace,
): boolean =>
  (!isLive || speed > 1) && (backlog.batches >= backlogBatchesMax || backlog.bytes >= backlogBytesMax)
