/**
 * From two states of a counter to what each interval between them used: in proportion to time, because that is all that
 * is known. A counter that falls has rolled over, where its highest value is configured and it was near it, and was
 * replaced or set back otherwise: then nobody knows what was used in between.
 */

import { dayMs } from '@imlma/protocol/series'
import type { ValueMapping } from './values.ts'

export interface CounterState {
  readonly at: number
  readonly value: number
}

export interface Piece {
  readonly interval: number
  readonly amount: number
  readonly ms: number
  /** The two states are as close to each other as samples are expected. */
  readonly isClose: boolean
}

export type Advance =
  | { readonly kind: 'spread'; readonly pieces: readonly Piece[]; readonly rolledOver: boolean }
  | { readonly kind: 'first' | 'repeated' | 'late' | 'reset' | 'unbridged' }

/** A longer silence is not spread over its intervals: the day's shape would be invented. */
const bridgedMs = (intervalMs: number): number =>
  Math.max(2 * intervalMs, Math.min(dayMs, bridgedIntervalsMax * intervalMs))

/** A day of minutes. */
const bridgedIntervalsMax = 1_440

/** A state that is that many expected distances after the one before is not close. */
const closeFactor = 2.5

/** Share of the highest value within which a counter was before it rolled over, and is after. */
const rolloverShare = 0.1

/** `last` is the newest state seen; a state before it brings nothing, as the time around it is spread already. */
export const advanceCounter = (
  last: CounterState | undefined,
  next: CounterState,
  mapping: Pick<ValueMapping, 'intervalMs' | 'sampleEveryMs' | 'counterMax'>,
): Advance => {
  if (last === undefined) return { kind: 'first' }
  if (next.at === last.at) return { kind: 'repeated' }
  if (next.at < last.at) return { kind: 'late' }
  const { intervalMs, sampleEveryMs = intervalMs, counterMax } = mapping
  let difference = next.value - last.value
  let rolledOver = false
  if (difference < 0) {
    if (counterMax === undefined) return { kind: 'reset' }
    rolledOver = last.value >= (1 - rolloverShare) * counterMax && next.value <= rolloverShare * counterMax
    if (!rolledOver) return { kind: 'reset' }
    difference += counterMax
  }
  const elapsedMs = next.at - last.at
  if (elapsedMs > bridgedMs(intervalMs)) return { kind: 'unbridged' }
  const isClose = elapsedMs <= closeFactor * sampleEveryMs
  const pieces: Piece[] = []
  for (let from = last.at; from < next.at;) {
    const interval = Math.floor(from / intervalMs)
    const to = Math.min(next.at, (interval + 1) * intervalMs)
    pieces.push({ interval, amount: (difference * (to - from)) / elapsedMs, ms: to - from, isClose })
    from = to
  }
  return { kind: 'spread', pieces, rolledOver }
}
