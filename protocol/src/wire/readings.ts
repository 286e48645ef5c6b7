/** A batch of readings: columns of equidistant values, numbered per agent, kept by the agent until acknowledged. */

import { z } from 'zod'
import { limits } from '../limits.ts'
import { epochMsSchema, headerSchema, sha256Schema } from './header.ts'
import { bytesSchema, float32ArraySchema } from './typed-arrays.ts'

/** How a value came about (protocol.md, "Readings"). */
export const quality = { measured: 0, estimated: 1, substituted: 2, suspect: 3, fault: 4 } as const

/** Only values of these qualities may train a model. */
export const isTrainable = (code: number): boolean => code <= quality.substituted

const columnName = z.string().min(1).max(limits.nameLengthMax)

export const readingSeriesSchema = z
  .object({
    meter: columnName,
    register: columnName,
    /** Milliseconds between two values. */
    interval: z.number().int().min(limits.intervalMsMin).max(limits.intervalMsMax),
    /** Time of the first value, a multiple of the interval. */
    start: epochMsSchema,
    /** In the register's unit; NaN is missing. */
    values: float32ArraySchema,
    /** One quality code a value; absent means all measured. */
    quality: bytesSchema.optional(),
  })
  .refine(({ values }) => values.length > 0 && values.length <= limits.valuesPerSeriesMax, {
    message: `a series holds 1 to ${limits.valuesPerSeriesMax} values`,
  })
  .refine(({ values, quality: codes }) => codes === undefined || codes.length === values.length, {
    message: 'quality and values differ in length',
  })
  .refine(({ quality: codes }) => codes === undefined || codes.every((code) => code <= quality.fault), {
    message: 'a quality code is 0 to 4',
  })
  .refine(({ start, interval }) => start % interval === 0, {
    message: 'start is not a multiple of the interval',
  })

export const readingBatchSchema = headerSchema
  .extend({
    /** Grows by one with every batch of an agent and never goes back. */
    seq: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
    /** Lowest sequence the agent still holds: everything below will never come any more. */
    oldest: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
    sentAt: epochMsSchema,
    /** True for backlog that is older than live data. */
    historical: z.boolean(),
    series: z.array(readingSeriesSchema).max(limits.seriesPerBatchMax),
    /** By the agent's signing key over everything before `sig`, which ends the packet (`trust/signed-batch.ts`). */
    signature: z.object({ keyid: sha256Schema, sig: bytesSchema }).optional(),
  })
  .refine(
    ({ series }) => series.reduce((sum, { values }) => sum + values.length, 0) <= limits.valuesPerBatchMax,
    { message: `a batch holds at most ${limits.valuesPerBatchMax} values` },
  )

export type ReadingSeries = z.infer<typeof readingSeriesSchema>
export type ReadingBatch = z.infer<typeof readingBatchSchema>

/** Everything up to and with `seq` is stored durably. */
export const ackSchema = headerSchema.extend({
  seq: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
})
export type Ack = z.infer<typeof ackSchema>
