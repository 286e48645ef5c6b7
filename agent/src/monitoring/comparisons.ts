/**
 * Which forecasts better on the same live intervals, the champion or the challenger in shadow? Pairs wait for their target
 * time; when it closes, both are held against what came, and only sums by day are kept.
 *
 * A pair counts where the actual is there and the champion gave a number. Where the challenger gave none it is a failure:
 * whoever judges must not take a missing number for a missing error.
 */

import { limits } from '@imlma/protocol/limits'
import type { ComparedDay, Comparison } from '@imlma/protocol/wire'
import type { PairedForecasts } from '../serving/shadow-runner.ts'
import type { ReadActual } from './realised-errors.ts'

export interface Comparisons {
  readonly expect: (paired: PairedForecasts) => void
  /** Every pair of this model whose target lies before `end` is counted, and forgotten. */
  readonly close: (model: string, end: number, read: ReadActual) => void
  /** The sums since the last call, as many as a report carries: the oldest days first, the rest with the next one. */
  readonly take: () => readonly Comparison[]
  /** Pairs that wait. */
  readonly waiting: () => number
}

interface Options {
  /** Pairs that may wait; beyond, the oldest go. 1,000 meters over a day of quarter hours are 0.1 M, at 8 bytes each. */
  readonly pairsMax?: number
  /** Days kept of one comparison while nobody hears of them: a gateway may be away for a month. */
  readonly daysMax?: number
  /** Comparisons kept: a few champions and challengers of every model. */
  readonly comparisonsMax?: number
}

interface Waiting {
  readonly at: number
  readonly of: Pick<PairedForecasts, 'model' | 'champion' | 'challenger'>
  readonly meters: readonly string[]
  readonly champion: Float32Array
  readonly challenger: Float32Array
}

/** One comparison with its days by their start. */
interface Kept {
  readonly head: Omit<Comparison, 'days'>
  readonly days: Map<number, ComparedDay>
}

const dayMs = 86_400_000

export const createComparisons = ({
  pairsMax = 500_000,
  daysMax = 32,
  comparisonsMax = 64,
}: Options = {}): Comparisons => {
  const kept = new Map<string, Kept>()
  let waiting: Waiting[] = []
  let pairs = 0

  const keptOf = ({ model, champion, challenger }: Waiting['of']): Kept => {
    const key = `${model}/${champion}/${challenger.sha256}`
    const known = kept.get(key)
    if (known !== undefined) return known
    const head = {
      model,
      champion,
      challenger: challenger.version,
      challengerSha256: challenger.sha256,
    }
    const fresh: Kept = { head, days: new Map() }
    kept.set(key, fresh)
    if (kept.size > comparisonsMax) deleteFirst(kept)
    return fresh
  }
  const dayOf = ({ days }: Kept, at: number): ComparedDay => {
    const start = Math.floor(at / dayMs) * dayMs
    const known = days.get(start)
    if (known !== undefined) return known
    const fresh = noPairs(start)
    days.set(start, fresh)
    if (days.size > daysMax) deleteFirst(days)
    return fresh
  }

  return {
    expect: ({ steps, meters, origin, intervalMs, championValues, challengerValues, ...of }) => {
      for (const [place, step] of steps.entries()) {
        const own = (values: Float32Array) =>
          Float32Array.from(meters, (_, row) => values[row * steps.length + place] as number)
        const at = origin + (step - 1) * intervalMs
        waiting.push({ at, of, meters, champion: own(championValues), challenger: own(challengerValues) })
        pairs += meters.length
      }
      while (pairs > pairsMax && waiting.length > 1) pairs -= (waiting.shift() as Waiting).meters.length
    },
    close: (model, end, read) => {
      const isDue = ({ of, at }: Waiting): boolean => of.model === model && at < end
      const due = waiting.filter(isDue)
      if (due.length === 0) return
      waiting = waiting.filter((each) => !isDue(each))
      for (const { at, of, meters, champion, challenger } of due) {
        pairs -= meters.length
        for (const [row, meter] of meters.entries()) {
          const actual = read(meter, at)
          const forecast = champion[row] as number
          if (!Number.isFinite(actual) || !Number.isFinite(forecast)) continue
          count(dayOf(keptOf(of), at), actual, forecast, challenger[row] as number)
        }
      }
    },
    take: () => {
      const taken: Comparison[] = []
      for (const [key, { head, days }] of kept) {
        if (taken.length === limits.comparisonsPerReportMax) break
        const oldest = [...days.values()].toSorted((a, b) => a.day - b.day).slice(0, limits.comparedDaysMax)
        for (const { day } of oldest) days.delete(day)
        if (days.size === 0) kept.delete(key)
        taken.push({ ...head, days: oldest })
      }
      return taken
    },
    waiting: () => pairs,
  }
}

const noPairs = (day: number): ComparedDay => ({
  day,
  count: 0,
  failures: 0,
  champion: { squared: 0, absolute: 0 },
  challenger: { squared: 0, absolute: 0 },
  actual: { sum: 0, squared: 0 },
})

const count = (day: ComparedDay, actual: number, champion: number, challenger: number): void => {
  if (!Number.isFinite(challenger)) {
    day.failures += 1
    return
  }
  day.count += 1
  add(day.champion, champion - actual)
  add(day.challenger, challenger - actual)
  day.actual.sum += actual
  day.actual.squared += actual * actual
}

const add = (losses: ComparedDay['champion'], error: number): void => {
  losses.squared += error * error
  losses.absolute += Math.abs(error)
}

const deleteFirst = <Key>(map: Map<Key, unknown>): void => {
  const first = map.keys().next()
  if (first.done !== true) map.delete(first.value)
}
