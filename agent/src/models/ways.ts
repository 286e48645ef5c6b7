/**
 * Which way an artifact takes, and when a way is given up: the next one goes on at the byte where the one before it stopped.
 * A line that trickles is worse than none: it holds the place of a better one, and a challenger that never arrives.
 */

import { refuse, type Result } from '@imlma/protocol/result'
import type { PartialFile } from './store.ts'
import type { Transfer, TransferRefusal } from './transfer.ts'

type Way = Pick<Transfer, 'fetch'>

/** Each way after the one before it has failed. What is wrong with the bytes themselves is wrong on every way. */
export const alongWays = (ways: readonly Way[]): Way => ({
  fetch: async (wanted, file, signal) => {
    let last: Result<void, TransferRefusal> = refuse('FETCH_FAILED', 'there is no way to the control centre')
    for (const way of ways) {
      last = await way.fetch(wanted, file, signal)
      if (last.ok || last.refusal.code !== 'FETCH_FAILED' || signal.aborted) return last
    }
    return last
  },
})

interface Parts {
  /** Resolves after `ms`, or when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

interface Options {
  /** 0: however slow, it goes on. */
  readonly bytesPerSecondMin: number
  /** Milliseconds over which the rate is taken: radios pause for seconds. */
  readonly windowMs?: number
}

/** Gives a way up with FETCH_FAILED in a window in which it brought less than the minimum. */
export const withRateFloor = (
  way: Way,
  { wait }: Parts,
  { bytesPerSecondMin, windowMs = 30_000 }: Options,
): Way => ({
  fetch: async (wanted, file, signal) => {
    if (bytesPerSecondMin === 0) return way.fetch(wanted, file, signal)
    const over = new AbortController()
    const tooSlow = new AbortController()
    let brought = 0
    const counted: PartialFile = {
      ...file,
      append: async (chunk) => {
        await file.append(chunk)
        brought += chunk.byteLength
      },
    }
    const needed = Math.ceil((bytesPerSecondMin * windowMs) / 1_000)
    const watch = async (): Promise<void> => {
      const ends = AbortSignal.any([signal, over.signal])
      for (;;) {
        const before = brought
        await wait(windowMs, ends)
        if (ends.aborted) return
        if (brought - before < needed) return tooSlow.abort()
      }
    }
    const watching = watch()
    try {
      const outcome = await way.fetch(wanted, counted, AbortSignal.any([signal, tooSlow.signal]))
      if (outcome.ok || !tooSlow.signal.aborted) return outcome
      return refuse(
        'FETCH_FAILED',
        `given up: less than ${bytesPerSecondMin} bytes a second for ${windowMs} ms`,
      )
    } finally {
      over.abort()
      await watching
    }
  },
})
