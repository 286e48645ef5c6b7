/**
 * The recent readings of every series that this agent has seen: the context that forecasts are made from.
 *
 * Written in the transaction of the outbox's append, so that a forecast after a restart sees exactly what was stored.
 * Missing values stay missing (the rule for gaps is `@imlma/protocol/series`); readings of a quality that may not train a
 * model are missing here too, so that a model meets at the edge what it met in training.
 */

import type { Appended, AppendParticipant } from '../outbox/outbox.ts'

export interface HistorySeries {
  readonly meter: string
  readonly register: string
  readonly intervalMs: number
  /** Time of the newest value, UTC epoch milliseconds. */
  readonly latestAt: number
}

export interface History {
  /**
   * The values with `start ≤ time < end`, `start` and `end` on the interval; NaN where there is none. Into `target`
   * (of that length) where it is given, so that a thousand windows make one matrix without copies.
   */
  readonly read: (
    meter: string,
    register: string,
    intervalMs: number,
    start: number,
    end: number,
    target?: Float32Array,
  ) => Float32Array
  readonly series: (register: string, intervalMs: number) => readonly HistorySeries[]
  /** Called after the readings are durable. */
  readonly onAppend: (listener: (appended: Appended) => void) => () => void
}

export interface RecordingHistory extends History, AppendParticipant {}
