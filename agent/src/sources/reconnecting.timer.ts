/** Keeps something open that ends now and then: a connection to a concentrator, a device. Waits longer each time. */

import { setTimeout as wait } from 'node:timers/promises'

export interface Reconnecting {
  readonly start: () => void
  readonly stop: () => Promise<void>
}

export interface ReconnectOptions {
  readonly delayMsMin?: number
  readonly delayMsMax?: number
}

/** What lasted so long was good: the next wait is short again. */
const goodMs = 5_000

/** `hold` resolves or rejects when what it opened has ended; `onEnd` is told why. */
export const createReconnecting = (
  hold: (signal: AbortSignal) => Promise<void>,
  onEnd: (cause: unknown) => void,
  { delayMsMin = 500, delayMsMax = 30_000 }: ReconnectOptions = {},
): Reconnecting => {
  let isStopping = false
  /** One each time: what listens to it goes with it. */
  let attempt = new AbortController()
  let running: Promise<void> | undefined

  const run = async (): Promise<void> => {
    let delayMs = delayMsMin
    for (;;) {
      attempt = new AbortController()
      const { signal } = attempt
      const since = performance.now()
      const cause: unknown = await hold(signal).catch((failure: unknown) => failure)
      if (isStopping) return
      onEnd(cause)
      delayMs = performance.now() - since >= goodMs ? delayMsMin : Math.min(delayMsMax, delayMs * 2)
      // Half of it by chance: a hundred agents do not come back to one concentrator at once.
      await wait(delayMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
      if (isStopping) return
    }
  }

  return {
    start: () => {
      if (running !== undefined) return
      isStopping = false
      running = run()
    },
    stop: async () => {
      isStopping = true
      attempt.abort()
      await running
      running = undefined
    },
  }
}
