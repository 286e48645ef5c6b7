/** What is remembered of one series between its samples; JSON, so that it lies in the cursor beside what it led to. */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { accumulatorSchema } from './accumulator.ts'

const at = z.number()

export const seriesStateSchema = z.object({
  meter: z.string().min(1).max(limits.nameLengthMax),
  channel: z.int().min(0),
  /** Event time of the newest sample. */
  newestAt: at,
  /** Number of the newest interval that was begun, and the ranges below it for which nothing was sent. */
  newest: z.int(),
  gaps: z.array(z.tuple([z.int(), z.int()])),
  /** Not sent yet. */
  open: z.array(accumulatorSchema),
  /** Sent, and corrected where a sample comes late. */
  sent: z.array(accumulatorSchema.extend({ corrected: z.boolean() })),
  /** Newest state of a counter. */
  counter: z.object({ at, value: z.number() }).nullable(),
  /** The latest readings that came whole: a reading that comes again is known by them. */
  recent: z.array(z.tuple([z.int(), z.number()])),
})
export type SeriesState = z.infer<typeof seriesStateSchema>

export const newSeries = (meter: string, channel: number): SeriesState => ({
  meter,
  channel,
  newestAt: 0,
  newest: -1,
  gaps: [],
  open: [],
  sent: [],
  counter: null,
  recent: [],
})

/** What happened to a sample; all of it is counted. */
export type SampleOutcome =
  | 'taken'
  | 'repeated'
  | 'late'
  | 'corrected'
  | 'too late'
  | 'reset'
  | 'rolled over'
  | 'off grid'
  | 'unbridged'
