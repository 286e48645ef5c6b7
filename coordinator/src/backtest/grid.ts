/** Rows with times onto a grid of equal intervals: as they are, or averaged where the file is finer. */
import { Failure } from '@imlma/protocol/result'

export interface Grid {
  readonly start: number
  readonly length: number
  readonly intervalMs: number
  /** A column of the file, one value per row → one per step; NaN where there is none. */
  readonly place: (values: Float64Array) => Float64Array
}

export interface GridOptions {
  readonly intervalMs: number
  /** Where a bin, closed on its left, has its label; `none`: rows stand on the grid already. */
  readonly label: 'none' | 'left' | 'right'
  readonly from?: number
  /** Excluded. */
  readonly to?: number
}

/** 100 years of 5 minutes: more is a mistake in a time. */
const stepsMax = 12_000_000

/** `times` per row. Throws `Failure` BAD_TIME, BAD_SPLIT. */
export const toGrid = (times: Float64Array, { intervalMs, label, from, to }: GridOptions): Grid => {
  const binOf = (time: number): number => Math.floor(time / intervalMs) + (label === 'right' ? 1 : 0)
  let [first, last] = [Infinity, -Infinity]
  for (const time of times) {
    const bin = binOf(time)
    if (bin < first) first = bin
    if (bin > last) last = bin
  }
  const start = from === undefined ? first * intervalMs : Math.ceil(from / intervalMs) * intervalMs
  const end = to === undefined ? (last + 1) * intervalMs : to
  const length = Math.ceil((end - start) / intervalMs)
  if (!(length > 0 && length <= stepsMax)) {
    throw new Failure('BAD_SPLIT', `from ${new Date(start).toISOString()} on there are ${length} steps`, {
      hint: 'check from, to and the times of the file',
    })
  }
  const offset = start / intervalMs
  const places = Int32Array.from(times, (time) => {
    const place = binOf(time) - offset
    return place >= 0 && place < length ? place : -1
  })
  if (label === 'none') checkRows(times, places, length, intervalMs)
  return {
    start,
    length,
    intervalMs,
    place: (values) => {
      const sums = new Float64Array(length)
      const counts = new Uint32Array(length)
      places.forEach((place, row) => {
        const value = values[row] as number
        if (place < 0 || Number.isNaN(value)) return
        sums[place] = (sums[place] as number) + value
        counts[place] = (counts[place] as number) + 1
      })
      return sums.map((sum, place) => (counts[place] === 0 ? Number.NaN : sum / (counts[place] as number)))
    },
  }
}

const checkRows = (times: Float64Array, places: Int32Array, length: number, intervalMs: number): void => {
  const taken = new Uint8Array(length)
  times.forEach((time, row) => {
    const place = places[row] as number
    const wrong =
      time % intervalMs !== 0
        ? `lies between two intervals of ${intervalMs / 60_000} minutes`
        : place >= 0 && taken[place] === 1
          ? 'is there twice'
          : undefined
    if (wrong !== undefined) {
      throw new Failure('BAD_TIME', `line ${row + 2}: ${new Date(time).toISOString()} ${wrong}`, {
        hint: 'correct the interval of the task, or give it "resample" to average rows',
      })
    }
    if (place >= 0) taken[place] = 1
  })
}
