/**
 * May somebody try a password now? Two bounds: a name is locked after some failures in a row, longer each time, and an
 * address may try only so often, whatever the names. Names that nobody has are counted just like those of users, in a
 * table of their own, so an answer never tells which names exist, and made-up names push no user's count out.
 *
 * A locked name is a nuisance that anybody can cause; it ends by itself, and open sessions and tokens go on.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'

export interface AttemptOptions {
  /** Wrong passwords in a row before the first lock: typing errors of a day. */
  readonly failuresMax?: number
  /** Doubles with each further failure … */
  readonly lockMsFirst?: number
  /** … up to this: 100 guesses a day for each name. */
  readonly lockMsMax?: number
  /** A count is forgotten after so long without a failure. */
  readonly forgetMs?: number
  /** Attempts of one address at once, and the time after which it has one more. */
  readonly burst?: number
  readonly refillMs?: number
  /** Entries of each table; the one that was touched longest ago goes first. */
  readonly entriesMax?: number
}

export interface Attempts {
  /** Counts the attempt before its outcome is known: a hundred at the same time are a hundred. */
  readonly begin: (name: string, isKnown: boolean, now: number) => Result<void, 'LOCKED'>
  readonly succeeded: (name: string) => void
  /** One attempt of an address, with whatever secret. */
  readonly from: (address: string, now: number) => Result<void, 'TOO_MANY_ATTEMPTS'>
  /** The address was right: its attempt is given back. */
  readonly forgive: (address: string, now: number) => void
}

interface Failures {
  readonly count: number
  readonly lockedUntil: number
  readonly at: number
}

interface Bucket {
  readonly left: number
  readonly at: number
}

export const createAttempts = ({
  failuresMax = 5,
  lockMsFirst = 30_000,
  lockMsMax = 900_000,
  forgetMs = 86_400_000,
  burst = 20,
  refillMs = 6_000,
  entriesMax = 10_000,
}: AttemptOptions = {}): Attempts => {
  const known = createTable<Failures>(entriesMax)
  const unknown = createTable<Failures>(entriesMax)
  const buckets = createTable<Bucket>(entriesMax)

  const bucketOf = (address: string, now: number): number => {
    const before = buckets.get(address)
    if (before === undefined) return burst
    return Math.min(burst, before.left + Math.max(0, now - before.at) / refillMs)
  }

  return {
    begin: (name, isKnown, now) => {
      const table = isKnown ? known : unknown
      const before = table.get(name)
      if (before !== undefined && now < before.lockedUntil) {
        const seconds = Math.ceil((before.lockedUntil - now) / 1_000)
        return refuse(
          'LOCKED',
          'too many wrong passwords for this name',
          `try again in ${seconds} s, or have an administrator reset it`,
        )
      }
      const count = before === undefined || now - before.at > forgetMs ? 1 : before.count + 1
      const over = count - failuresMax
      const lockedUntil = over < 0 ? 0 : now + Math.min(lockMsMax, lockMsFirst * 2 ** Math.min(over, 20))
      table.set(name, { count, lockedUntil, at: now })
      return accept(undefined)
    },
    succeeded: (name) => known.remove(name),
    from: (address, now) => {
      const left = bucketOf(address, now)
      if (left < 1) {
        return refuse(
          'TOO_MANY_ATTEMPTS',
          'too many attempts from this address',
          `try again in ${Math.ceil(((1 - left) * refillMs) / 1_000)} s`,
        )
      }
      buckets.set(address, { left: left - 1, at: now })
      return accept(undefined)
    },
    forgive: (address, now) => {
      buckets.set(address, { left: Math.min(burst, bucketOf(address, now) + 1), at: now })
    },
  }
}

const createTable = <Entry>(entriesMax: number) => {
  const entries = new Map<string, Entry>()
  return {
    get: (key: string): Entry | undefined => entries.get(key),
    set: (key: string, entry: Entry): void => {
      entries.delete(key)
      entries.set(key, entry)
      const [oldest] = entries.keys()
      if (entries.size > entriesMax && oldest !== undefined) entries.delete(oldest)
    },
    remove: (key: string): void => void entries.delete(key),
  }
}
