/**
 * Readings as a meter or a small program posts them: one, several, or whole columns. Equal meters and intervals that
 * follow each other become one column.
 */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { epochMsSchema, readingSeriesSchema, type ReadingSeries } from '@imlma/protocol/wire'

const name = z.string().min(1).max(limits.nameLengthMax)
const instant = z.union([
  epochMsSchema,
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
])
const value = z.number().nullable()
const qualityCode = z.number().int().min(0).max(4)

const common = {
  meter: name,
  register: name.exactOptional(),
  /** Milliseconds between two readings. */
  interval: z.number().int().min(limits.intervalMsMin).max(limits.intervalMsMax).exactOptional(),
}
const singleSchema = z.object({ ...common, at: instant, value, quality: qualityCode.exactOptional() })
const columnSchema = z.object({
  ...common,
  start: instant,
  values: z.array(value).min(1).max(limits.valuesPerSeriesMax),
  quality: z.array(qualityCode).exactOptional(),
})
const postedSchema = z.union([columnSchema, singleSchema])
const bodySchema = z.union([
  postedSchema.transform((one) => [one]),
  z.array(postedSchema).min(1).max(limits.seriesPerBatchMax),
])
type Posted = z.infer<typeof postedSchema>

export interface PostedDefaults {
  readonly register: string
  readonly intervalMs: number
}

export type PostedRefusal = 'MALFORMED' | 'OFF_GRID'

export const parsePosted = (
  body: unknown,
  defaults: PostedDefaults,
): Result<readonly ReadingSeries[], PostedRefusal> => {
  const parsed = bodySchema.safeParse(body)
  if (!parsed.success) {
    return refuse(
      'MALFORMED',
      z.prettifyError(parsed.error).slice(0, 500),
      'post {meter, at, value} or {meter, start, values}, or an array of them; times are ISO 8601 or epoch milliseconds',
    )
  }
  const series = joinColumns(parsed.data.map((posted) => toSeries(posted, defaults)))
  for (const column of series) {
    if (column.start % column.interval !== 0) {
      return refuse(
        'OFF_GRID',
        `${column.meter}: ${column.start} is not on the interval of ${column.interval} ms`,
        'post times at the start of their interval, and the interval where it is not the usual one',
      )
    }
    const checked = readingSeriesSchema.safeParse(column)
    if (!checked.success) return refuse('MALFORMED', z.prettifyError(checked.error).slice(0, 500))
  }
  return accept(series)
}

const toSeries = (posted: Posted, defaults: PostedDefaults): ReadingSeries => {
  const { meter, register = defaults.register, interval = defaults.intervalMs } = posted
  const [start, values, quality] =
    'values' in posted
      ? [posted.start, posted.values, posted.quality]
      : [posted.at, [posted.value], posted.quality === undefined ? undefined : [posted.quality]]
  const column = {
    meter,
    register,
    interval,
    start,
    values: Float32Array.from(values, (each) => each ?? Number.NaN),
  }
  return quality === undefined ? column : { ...column, quality: Uint8Array.from(quality) }
}

/** Neighbours that go on where the one before ends become one. */
const joinColumns = (columns: readonly ReadingSeries[]): readonly ReadingSeries[] => {
  const joined: ReadingSeries[][] = []
  for (const column of columns) {
    const before = joined.at(-1)?.at(-1)
    if (before !== undefined && continues(before, column)) joined.at(-1)?.push(column)
    else joined.push([column])
  }
  return joined.map((parts) => {
    const [first] = parts as [ReadingSeries]
    if (parts.length === 1) return first
    const values = Float32Array.from(parts.flatMap((part) => [...part.values]))
    if (first.quality === undefined) return { ...first, values }
    return { ...first, values, quality: Uint8Array.from(parts.flatMap((part) => [...(part.quality ?? [])])) }
  })
}

const continues = (before: ReadingSeries, next: ReadingSeries): boolean =>
  before.meter === next.meter &&
  before.register === next.register &&
  before.interval === next.interval &&
  (before.quality === undefined) === (next.quality === undefined) &&
  before.values.length === 1 &&
  next.values.length === 1 &&
  before.start + before.interval === next.start
