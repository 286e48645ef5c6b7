/** Days of comparison as agents report them, for tests. */

import type { ComparedDay } from '@imlma/protocol/wire'

const dayMs = 86_400_000

/** Pairs of one day whose challenger makes `ratio` of the champion's error at every pair. */
export const comparedDay = (
  day: number,
  { ratio = 1, count = 96, failures = 0 }: { ratio?: number; count?: number; failures?: number } = {},
): ComparedDay => ({
  day: day * dayMs,
  count,
  failures,
  champion: { squared: count, absolute: count },
  challenger: { squared: count * ratio * ratio, absolute: count * ratio },
  actual: { sum: 10 * count, squared: 125 * count },
})
