/**
 * One interval while its samples come: enough of them is kept to give any aggregate, to know a sample that comes twice,
 * and to say how much of the interval was seen.
 */

import { z } from 'zod'
import { quality } from '@imlma/protocol/wire'
import { factorOf, type ValueMapping } from './values.ts'

const finite = z.number()

export const accumulatorSchema = z.object({
  /** Number of the interval: its start divided by its length. */
  interval: z.int(),
  samples: finite,
  sum: finite,
  min: finite.nullable(),
  max: finite.nullable(),
  lastAt: finite,
  last: finite,
  /** Milliseconds of a counter's interval that are known, and those of them between samples as close as expected. */
  coveredMs: finite,
  closeMs: finite,
  /** Places within the interval at which a sample was, 30 bits a number. */
  seen: z.array(z.int()),
})
export type Accumulator = z.infer<typeof accumulatorSchema>

export const emptyAccumulator = (interval: number): Accumulator => ({
  interval,
  samples: 0,
  sum: 0,
  min: null,
  max: null,
  lastAt: 0,
  last: 0,
  coveredMs: 0,
  closeMs: 0,
  seen: [],
})

/** Places for a sample: clocks of meters jitter, so there are more places than samples are expected. */
const placesPerSample = 4
const placesMax = 14_400
const wordBits = 30

/** undefined for a sample that was there already: the same place in the interval. */
export const addSample = (
  before: Accumulator,
  at: number,
  value: number,
  { intervalMs, sampleEveryMs = 1_000 }: ValueMapping,
): Accumulator | undefined => {
  const places = Math.min(placesMax, Math.ceil((intervalMs / sampleEveryMs) * placesPerSample))
  const place = Math.floor(((at - before.interval * intervalMs) / intervalMs) * places)
  const word = Math.floor(place / wordBits)
  const bit = 1 << (place % wordBits)
  if (((before.seen[word] ?? 0) & bit) !== 0) return undefined
  const seen = [...before.seen]
  while (seen.length <= word) seen.push(0)
  seen[word] = (seen[word] as number) | bit
  const isNewest = before.samples === 0 || at >= before.lastAt
  return {
    ...before,
    samples: before.samples + 1,
    sum: before.sum + value,
    min: Math.min(before.min ?? value, value),
    max: Math.max(before.max ?? value, value),
    lastAt: isNewest ? at : before.lastAt,
    last: isNewest ? value : before.last,
    seen,
  }
}

/** A part of a counter's difference that falls into the interval. */
export const addAmount = (
  before: Accumulator,
  { amount, ms, isClose }: { readonly amount: number; readonly ms: number; readonly isClose: boolean },
): Accumulator => ({
  ...before,
  sum: before.sum + amount,
  coveredMs: before.coveredMs + ms,
  closeMs: before.closeMs + (isClose ? ms : 0),
})

/** Shares of an interval from which its reading counts as measured, and from which it is an estimate worth training on. */
const measuredShareMin = 0.9
const estimatedShareMin = 0.5

export interface Reading {
  readonly value: number
  readonly quality: number
}

/** The interval's reading in the unit in which it is kept. Of a counter, what is missing is filled up in proportion. */
export const toReading = (from: Accumulator, mapping: ValueMapping): Reading => {
  const { intervalMs, sampleEveryMs, aggregate } = mapping
  if (aggregate === 'difference') {
    const known = Math.min(1, from.coveredMs / intervalMs)
    const value = (from.sum / known) * factorOf(mapping)
    if (from.closeMs >= measuredShareMin * intervalMs) return { value, quality: quality.measured }
    return { value, quality: known >= estimatedShareMin ? quality.estimated : quality.suspect }
  }
  const share = sampleEveryMs === undefined ? 1 : from.samples / Math.max(1, intervalMs / sampleEveryMs)
  const seen = share >= measuredShareMin ? quality.measured : quality.estimated
  return {
    value: aggregated(from, mapping) * factorOf(mapping),
    quality: share >= estimatedShareMin ? seen : quality.suspect,
  }
}

const aggregated = (from: Accumulator, { aggregate, intervalMs }: ValueMapping): number => {
  switch (aggregate) {
    case 'sum':
      return from.sum
    case 'min':
      return from.min ?? Number.NaN
    case 'max':
      return from.max ?? Number.NaN
    case 'mean':
      return from.sum / from.samples
    case 'energy':
      return (from.sum / from.samples) * (intervalMs / 3_600_000)
    case 'last':
    case 'none':
    case 'difference':
      return from.last
  }
}
