/** The hour of the local day of every reading of a series, as a column. */

import { dayMs, type IntervalSeries, type Zone } from '@imlma/protocol/series'

const hourMs = 3_600_000

/** 0 … 23 per reading; the offset of a zone is looked up at its transitions only. */
export const hoursOf = ({ start, intervalMs, values }: IntervalSeries, zone: Zone): Uint8Array => {
  const hours = new Uint8Array(values.length)
  zone.forEach(({ from, offsetMs }, index) => {
    const until = zone[index + 1]?.from ?? Number.POSITIVE_INFINITY
    // Before the first transition its offset holds too.
    const first = index === 0 ? 0 : clamp(Math.ceil((from - start) / intervalMs), values.length)
    const last = clamp(Math.ceil((until - start) / intervalMs), values.length)
    let time = modulo(start + first * intervalMs + offsetMs, dayMs)
    const step = intervalMs % dayMs
    for (let i = first; i < last; i++) {
      hours[i] = (time / hourMs) | 0
      time += step
      if (time >= dayMs) time -= dayMs
    }
  })
  return hours
}

const clamp = (index: number, length: number): number => Math.min(length, Math.max(0, index))

const modulo = (value: number, by: number): number => ((value % by) + by) % by
