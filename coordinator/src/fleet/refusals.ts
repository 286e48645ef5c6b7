/** Messages that were dropped: how many, why, and one example of each reason for whoever looks into it. */

import type { Refusal } from '@imlma/protocol/result'
import type { Address } from '@imlma/protocol/wire'

export interface RefusedExample extends Address {
  readonly channel: string
  readonly code: string
  readonly message: string
  readonly at: number
}

export interface RefusalCount {
  readonly count: number
  readonly latest: RefusedExample
}

export interface Refusals {
  readonly add: (channel: string, address: Address, refusal: Refusal, at: number) => void
  /** By channel and code. */
  readonly counts: () => Readonly<Record<string, RefusalCount>>
}

/** Channels and codes are few and our own: the table is bounded by them. */
export const createRefusals = (): Refusals => {
  const counts: Record<string, RefusalCount> = {}
  return {
    add: (channel, { site, agent }, { code, message }, at) => {
      const key = `${channel} ${code}`
      const latest = { site, agent, channel, code, message: message.slice(0, 500), at }
      counts[key] = { count: (counts[key]?.count ?? 0) + 1, latest }
    },
    counts: () => ({ ...counts }),
  }
}
