/**
 * How readings become batches: columns are packed in the order they came until one more would pass a bound; a column
 * that is too long for one batch goes on in the next.
 */

import { limits } from '@imlma/protocol/limits'
import { invariant } from '@imlma/protocol/result'
import type { ReadingSeries } from '@imlma/protocol/wire'

export interface BatchBounds {
  readonly valuesMax: number
  readonly bytesMax: number
  readonly seriesMax: number
}

/** Room for topic, header and the keys of the batch itself. */
const envelopeBytes = 1_024

const wireBounds: BatchBounds = {
  valuesMax: limits.valuesPerBatchMax,
  bytesMax: limits.packetBytesMax - envelopeBytes,
  seriesMax: limits.seriesPerBatchMax,
}

/** Each batch fits the bounds; values keep their order. Columns without values are left out. */
export const splitIntoBatches = (
  series: readonly ReadingSeries[],
  bounds: BatchBounds = wireBounds,
): readonly (readonly ReadingSeries[])[] => {
  const batches: ReadingSeries[][] = []
  let batch: ReadingSeries[] = []
  let values = 0
  let bytes = 0
  for (const column of series) {
    invariant(column.start % column.interval === 0, `${column.meter} starts between two intervals`)
    const labels = labelBytes(column)
    const perValue = column.quality === undefined ? 4 : 5
    for (let from = 0; from < column.values.length;) {
      const room = Math.min(
        bounds.valuesMax - values,
        Math.floor((bounds.bytesMax - bytes - labels) / perValue),
      )
      if (batch.length > 0 && (room < 1 || batch.length >= bounds.seriesMax)) {
        batches.push(batch)
        batch = []
        values = 0
        bytes = 0
        continue
      }
      invariant(room >= 1, 'a batch has room for one value')
      const to = Math.min(column.values.length, from + Math.min(room, limits.valuesPerSeriesMax))
      batch.push(part(column, from, to))
      values += to - from
      bytes += labels + (to - from) * perValue
      from = to
    }
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}

export const countReadings = (series: readonly ReadingSeries[]): number =>
  series.reduce((sum, { values }) => sum + values.length, 0)

/** Event time of the newest reading; 0 where there is none. */
export const latestOf = (series: readonly ReadingSeries[]): number =>
  series.reduce((latest, { start, interval, values }) => {
    return values.length === 0 ? latest : Math.max(latest, start + (values.length - 1) * interval)
  }, 0)

/** At most so many bytes besides the values: keys, numbers and array headers, names at three bytes a character. */
const labelBytes = ({ meter, register }: ReadingSeries): number => 96 + 3 * (meter.length + register.length)

const part = (column: ReadingSeries, from: number, to: number): ReadingSeries => {
  if (from === 0 && to === column.values.length) return column
  const { meter, register, interval, quality } = column
  const values = column.values.subarray(from, to)
  const start = column.start + from * interval
  return quality === undefined
    ? { meter, register, interval, start, values }
    : { meter, register, interval, start, values, quality: quality.subarray(from, to) }
}
