/** Intervals of a series that no reading was sent for: ranges below the newest, the oldest of which are forgotten. */

/** First and last interval number of each, ascending, none touching another. */
export type Gaps = readonly (readonly [from: number, to: number])[]

/** More gaps than that are a series that is mostly gaps. */
const gapsMax = 16

export const addGap = (gaps: Gaps, from: number, to: number): Gaps =>
  from > to ? gaps : [...gaps, [from, to] as const].slice(-gapsMax)

export const isGap = (gaps: Gaps, interval: number): boolean =>
  gaps.some(([from, to]) => from <= interval && interval <= to)

/** An interval in the middle of a gap leaves two. */
export const fillGap = (gaps: Gaps, interval: number): Gaps =>
  gaps
    .flatMap(([from, to]): Gaps => {
      if (interval < from || interval > to) return [[from, to]]
      const parts: Gaps = [
        [from, interval - 1],
        [interval + 1, to],
      ]
      return parts.filter(([first, last]) => first <= last)
    })
    .slice(-gapsMax)
