/**
 * From rows to slots: times must ascend on the interval. What files of meters really do is allowed and counted: an hour
 * that comes twice when summer time ends (the first stands), gaps (also the hour that is missing when it begins), and a
 * midnight that carries the date of the day it ends. Everything else is refused with its line.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { dayMs } from '@imlma/protocol/series'

export interface GridCounts {
  readonly slots: number
  /** Rows for a slot that was there already. */
  readonly duplicates: number
  /** Slots that no row is for. */
  readonly gaps: number
  /** Midnights written with the date of the day that they end. */
  readonly midnights: number
}

export interface GridOptions {
  readonly intervalMs: number
  /** Local time minus UTC: where midnight is. */
  readonly offsetMs: number
}

export type GridRefusal = 'BAD_TIME' | 'IRREGULAR_INTERVAL'

/** A time goes back so far at most, when summer time ends. */
const backMsMax = 2 * 3_600_000

/** A longer gap is a wrong date. */
const gapMsMax = 366 * dayMs

const isoOf = (time: number): string => new Date(time).toISOString()

export const createGrid = ({ intervalMs, offsetMs }: GridOptions) => {
  let last: number | undefined
  let counts: GridCounts = { slots: 0, duplicates: 0, gaps: 0, midnights: 0 }

  const count = (change: Partial<GridCounts>): void => {
    counts = { ...counts, ...change }
  }

  return {
    counts: (): GridCounts => counts,
    /** The slot's time, or undefined for a row that comes second. */
    place: (time: number, line: number): Result<number | undefined, GridRefusal> => {
      const at = last === undefined ? time : endOfDay(time, last, { intervalMs, offsetMs })
      if (at % intervalMs !== 0) {
        return refuse(
          'IRREGULAR_INTERVAL',
          `line ${line}: ${isoOf(at)} is not on the interval of ${intervalMs / 1_000} s`,
          'give the interval that the readings have, or bring them to full intervals first',
        )
      }
      if (last === undefined || at > last) {
        if (last !== undefined && at - last > gapMsMax) {
          return refuse(
            'BAD_TIME',
            `line ${line}: ${isoOf(at)} is more than a year after ${isoOf(last)}`,
            'correct the date, or make two files of it',
          )
        }
        const skipped = last === undefined ? 0 : (at - last) / intervalMs - 1
        count({
          slots: counts.slots + 1,
          gaps: counts.gaps + skipped,
          midnights: counts.midnights + (at === time ? 0 : 1),
        })
        last = at
        return accept(at)
      }
      if (last - at > backMsMax) {
        return refuse(
          'BAD_TIME',
          `line ${line}: ${isoOf(at)} comes after ${isoOf(last)}`,
          'sort the file by time',
        )
      }
      count({ duplicates: counts.duplicates + 1 })
      return accept(undefined)
    },
  }
}

/** The time itself, or a day later where it is a midnight dated with the day it ends. */
export const endOfDay = (time: number, before: number, { intervalMs, offsetMs }: GridOptions): number => {
  const isMidnight = (time + offsetMs) % dayMs === 0
  return isMidnight && time < before && time + dayMs === before + intervalMs ? time + dayMs : time
}
