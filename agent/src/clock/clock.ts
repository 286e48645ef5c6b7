/**
 * The clock that this agent decides by, and how far it believes it. An untrusted clock stops new installs and nothing
 * else: what serves goes on, and a technician still rolls back.
 */

import type { TrustRoot } from '@imlma/protocol/trust'
import {
  advance,
  clockDefaults,
  judgeClock,
  prove,
  retain,
  type ClockOptions,
  type ClockVerdict,
  type ProvenTime,
} from './proven-time.ts'

export interface Clock {
  /** UTC epoch milliseconds, as far as this machine knows. */
  readonly now: () => number
  /** False when the time may be far off: what depends on it is then refused, and what must work without it goes on. */
  readonly trusted: () => boolean
  /**
   * Verified signatures say that it is at least `at`. The control centre's word counts as it is. A technician's laptop may
   * be set to any year: its word counts up to the time that this machine shows.
   */
  readonly prove: (role: 'director' | 'technician', keyids: readonly string[], at: number) => void
  /** Another trust root is in force: keys that it does not name have said nothing. */
  readonly follow: (root: TrustRoot) => void
}

export interface ProvenClock extends Clock {
  readonly verdict: () => ClockVerdict
  /** What is to be on disk: moved on to this moment. */
  readonly proven: () => ProvenTime
}

interface Parts {
  readonly now: () => number
  /** Milliseconds of running time; no clock setting changes it. */
  readonly monotonicMs: () => number
}

export const createClock = (
  { now, monotonicMs }: Parts,
  stored: ProvenTime,
  options: ClockOptions = clockDefaults,
): ProvenClock => {
  let proven = stored
  let countedAt = monotonicMs()

  const current = (): ProvenTime => {
    const at = monotonicMs()
    proven = advance(proven, at - countedAt)
    countedAt = at
    return proven
  }
  const verdict = (): ClockVerdict => judgeClock(current(), now(), options)

  return {
    now,
    verdict,
    trusted: () => verdict() === 'trusted',
    proven: current,
    prove: (role, keyids, at) => {
      proven = prove(current(), keyids, role === 'technician' ? Math.min(at, now()) : at)
    },
    follow: ({ roles }) => {
      const inForce = new Set([...roles.director.keyids, ...roles.technician.keyids])
      proven = retain(current(), (keyid) => inForce.has(keyid))
    },
  }
}
