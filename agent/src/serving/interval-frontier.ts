/**
 * Up to which time have the meters of one register spoken, so that a forecast may start there?
 *
 * An interval closes when every meter that still speaks has it; or when most have it and either the next one has
 * begun or nothing more has come for a while. One dead meter delays nobody for long, and a meter whose clock runs
 * far ahead pulls nobody along: who still speaks is judged from the median.
 */

export interface IntervalFrontier {
  /** Readings of `meter` now reach up to `end` (the first time after them). */
  readonly note: (meter: string, end: number, now: number) => void
  /** The first time after the last closed interval; undefined before the first reading. Never asks for order. */
  readonly closed: (now: number) => number | undefined
}

export interface FrontierOptions {
  readonly intervalMs: number
  /** Share of meters that is "most". */
  readonly quorum?: number
  /** Real milliseconds without news after which most is enough. */
  readonly settleMs?: number
  /** Intervals behind the median after which a meter is not waited for. */
  readonly idleIntervals?: number
  /** Meters that are followed; a concentrator has about 1,000. */
  readonly metersMax?: number
}

export const createIntervalFrontier = ({
  intervalMs,
  quorum = 0.8,
  settleMs = 1_000,
  idleIntervals = 8,
  metersMax = 10_000,
}: FrontierOptions): IntervalFrontier => {
  const ends = new Map<string, number>()
  let notedAt = Number.NEGATIVE_INFINITY

  return {
    note: (meter, end, now) => {
      const known = ends.get(meter)
      if (known === undefined ? ends.size >= metersMax : known >= end) return
      ends.set(meter, end)
      notedAt = now
    },
    closed: (now) => {
      const sorted = Float64Array.from(ends.values()).toSorted()
      const median = sorted[sorted.length >> 1]
      if (median === undefined) return undefined
      const speaking = sorted.filter((end) => end >= median - idleIntervals * intervalMs)
      const byAll = speaking[0] as number
      const byMost = speaking[Math.floor((1 - quorum) * speaking.length)] as number
      const newerBegan = (speaking.at(-1) as number) > byMost
      return newerBegan || now - notedAt >= settleMs ? byMost : byAll
    },
  }
}

/** The origins after `done` up to `end`; where they are more than `originsMax`, only the latest. */
export const originsDue = (
  done: number | undefined,
  end: number,
  intervalMs: number,
  originsMax: number,
): readonly number[] => {
  if (done !== undefined && end <= done) return []
  const count = done === undefined ? Infinity : Math.floor((end - done) / intervalMs)
  if (count > originsMax) return [end]
  return Array.from({ length: count }, (_, i) => end - (count - 1 - i) * intervalMs)
}
