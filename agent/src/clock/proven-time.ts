/**
 * What time must it be at least? Every signed message says when it was signed, and nothing is signed in the future. From
 * the latest such moment on, this machine counts its own running time, which no clock setting changes.
 *
 *   floor = max over keys in force (signed at + time running since)          never before the program was made
 *
 *   system clock   … floor − 1 h   behind: set back, or never set since the power came back
 *                  … floor + 60 d  trusted
 *                  beyond          ahead: nobody has said anything that late
 *
 * Moments are kept by key: what a key that has left the trust root said of the time is forgotten with it, so that a stolen
 * key that signed a date far away does no harm for longer than it holds its role. The system clock itself proves nothing:
 * a year ahead for an hour, it would otherwise make the right time look like the past for a year. Pure.
 */

import { z } from 'zod'
import { epochMsSchema } from '@imlma/protocol/wire'

/** Keys whose moments are kept: directors and technicians of a site, and no more than fit a page. */
const keysMax = 64

export const provenTimeSchema = z.object({
  v: z.literal(1),
  /** Latest moment by key id, moved on by the time that this machine has been running since. */
  floors: z
    .record(z.string().regex(/^[0-9a-f]{64}$/), epochMsSchema)
    .refine((floors) => Object.keys(floors).length <= keysMax, 'too many keys'),
})
export type ProvenTime = Readonly<z.infer<typeof provenTimeSchema>>

export const nothingProven: ProvenTime = { v: 1, floors: {} }

export type ClockVerdict = 'trusted' | 'behind' | 'ahead'

export interface ClockOptions {
  /** The machines of a site are set within this of each other; far above any drift between two settings of a clock. */
  readonly behindMsMax: number
  /**
   * An assignment is told afresh every week, and a gateway may be without power for weeks; a clock further ahead than this
   * waits until something newer was signed.
   */
  readonly aheadMsMax: number
  /** Before this nobody has run this program: a clock that was never set stands at 1970 or at its chip's birth. */
  readonly earliestMs: number
}

export const clockDefaults: ClockOptions = {
  behindMsMax: 3_600_000,
  aheadMsMax: 60 * 86_400_000,
  earliestMs: Date.UTC(2026, 0, 1),
}

export const floorOf = ({ floors }: ProvenTime, { earliestMs }: Pick<ClockOptions, 'earliestMs'>): number =>
  Math.max(earliestMs, ...Object.values(floors))

export const judgeClock = (proven: ProvenTime, now: number, options: ClockOptions): ClockVerdict => {
  const floor = floorOf(proven, options)
  if (now < floor - options.behindMsMax) return 'behind'
  return now > floor + options.aheadMsMax ? 'ahead' : 'trusted'
}

/** The floors after `elapsedMs` of running time. */
export const advance = (proven: ProvenTime, elapsedMs: number): ProvenTime =>
  elapsedMs <= 0
    ? proven
    : { v: 1, floors: mapValues(proven.floors, (at) => Math.min(at + elapsedMs, Number.MAX_SAFE_INTEGER)) }

/** These keys signed something at this moment. A moment before the one known changes nothing. */
export const prove = (proven: ProvenTime, keyids: readonly string[], at: number): ProvenTime => {
  const news = keyids.filter((keyid) => at > (proven.floors[keyid] ?? 0))
  if (news.length === 0) return proven
  const floors = { ...proven.floors, ...Object.fromEntries(news.map((keyid) => [keyid, at])) }
  const latest = Object.entries(floors)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, keysMax)
  return { v: 1, floors: Object.fromEntries(latest) }
}

/** Without the word of keys that are not in force any more. */
export const retain = (proven: ProvenTime, isInForce: (keyid: string) => boolean): ProvenTime => {
  const kept = Object.entries(proven.floors).filter(([keyid]) => isInForce(keyid))
  return kept.length === Object.keys(proven.floors).length
    ? proven
    : { v: 1, floors: Object.fromEntries(kept) }
}

const mapValues = (
  record: Readonly<Record<string, number>>,
  change: (value: number) => number,
): Record<string, number> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
