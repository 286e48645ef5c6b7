/**
 * A feed: readings that are there already, or can be computed, and are let out at a pace. Event time is the feed's;
 * only the pace knows real time.
 *
 *   first … liveFrom: history, at once │ liveFrom …: live, `speed` event seconds a second
 *
 * The cursor says where live began and which slot comes next. It is stored with the readings, so a feed that was
 * killed goes on with the next slot: none is lost, none comes twice.
 */

import { z } from 'zod'
import { epochMsSchema, type ReadingSeries } from '@imlma/protocol/wire'
import type { SourceSeries } from './source.ts'

/** Slots one after another, without a gap between them. */
export interface FeedBlock {
  /** Time of the first slot, on the interval. */
  readonly start: number
  /** One array a series of the feed, in its order, all of one length. */
  readonly values: readonly Float32Array[]
}

export interface Feed {
  readonly intervalMs: number
  readonly series: readonly SourceSeries[]
  /** Where a feed without a cursor begins. */
  readonly begin: (now: number) => FeedPosition
  /** Ascending blocks from the first slot at or after `from`. */
  readonly blocks: (from: number) => AsyncIterable<FeedBlock> | Iterable<FeedBlock>
}

export interface FeedPosition {
  readonly liveFrom: number
  /** Time of the next slot. */
  readonly next: number
}

const positionSchema = z.object({ liveFrom: epochMsSchema, next: epochMsSchema })

export const writePosition = (position: FeedPosition): string => JSON.stringify(position)

/** undefined where the text is none: an earlier agent wrote another form, and the feed begins anew. */
export const parsePosition = (text: string | undefined): FeedPosition | undefined => {
  if (text === undefined) return undefined
  try {
    return positionSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** Slots `from … to − 1` of a block as columns of a batch. */
export const toColumns = (feed: Feed, block: FeedBlock, from: number, to: number): readonly ReadingSeries[] =>
  feed.series.map(({ meter, register, intervalMs }, i) => ({
    meter,
    register,
    interval: intervalMs,
    start: block.start + from * intervalMs,
    values: (block.values[i] as Float32Array).subarray(from, to),
  }))

/** Values of one block: enough to make a transaction worth its fsync, little enough to hold in memory. */
export const blockValues = 50_000

/** Slots of a block of so many series: one at least, a column's bound at most. */
export const toBlockSlots = (seriesCount: number, slotsMax: number): number =>
  Math.max(1, Math.min(slotsMax, Math.floor(blockValues / Math.max(1, seriesCount))))
