/** Failed logins as facts of the registry: the first at once, those that follow it counted together. */

import type { RegistryEvent } from '../../registry/events.ts'

export interface FailureCount {
  /** `user` is null for a name that nobody has: people type passwords into the wrong field. */
  readonly add: (user: string | null, address: string) => void
  /** Records what was only counted. */
  readonly flush: () => void
}

/** At most this often, whoever tries: the registry is kept for ever. */
const everyMs = 60_000

export const createFailureCount = (
  record: (event: RegistryEvent) => void,
  now: () => number,
): FailureCount => {
  let recordedAt = -Infinity
  let pending = 0
  let last: { user: string | null; address: string } = { user: null, address: '' }
  const flush = (): void => {
    if (pending === 0) return
    record({ kind: 'login-failed', ...last, failures: pending })
    recordedAt = now()
    pending = 0
  }
  return {
    add: (user, address) => {
      pending += 1
      last = { user, address }
      if (now() - recordedAt >= everyMs) flush()
    },
    flush,
  }
}
