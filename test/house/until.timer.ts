/** Waits for what processes do on their own: looks again and again until it is so, for a bounded time. */

import { setTimeout as pause } from 'node:timers/promises'

const lookEveryMs = 50

/**
 * The first value of `look` that is neither undefined, false nor null. A look that throws counts as "not yet"; what it
 * threw last is the cause of the error that is thrown after `secondsMax`.
 */
export const until = async <Value>(
  what: string,
  look: () => Promise<Value> | Value,
  secondsMax = 30,
): Promise<Exclude<Value, undefined | null | false>> => {
  const givenUpAt = performance.now() + secondsMax * 1_000
  for (;;) {
    let cause: unknown
    try {
      const value = await look()
      if (value !== undefined && value !== null && value !== false) {
        return value as Exclude<Value, undefined | null | false>
      }
    } catch (error) {
      cause = error
    }
    if (performance.now() > givenUpAt)
      throw new Error(`waited ${secondsMax} s in vain until ${what}`, { cause })
    await pause(lookEveryMs)
  }
}
