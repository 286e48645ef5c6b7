/**
 * Gives back what V8 keeps without need. Its collector waits until the heap is much larger than what lives in it, and
 * keeps code of the start that never runs again; a gateway has other use for those 8 to 15 MB. One full collection
 * after the start, then whenever the process has grown beyond what it needs, at most once in `restMs`: about 50 ms each.
 *
 * Only where the collector may be called (`bin/small.json` sees to it); elsewhere nothing happens.
 */

export interface TidyOptions {
  /** Bytes resident above which it is worth it: the bar for an agent is 110 MB. */
  readonly residentBytesMax?: number
  readonly afterStartMs?: number
  readonly lookEveryMs?: number
  readonly restMs?: number
}

interface Parts {
  readonly collect: (() => Promise<void>) | undefined
  readonly residentBytes: () => number
}

/** Returns how to stop it. */
export const keepTidy = (
  { collect, residentBytes }: Parts,
  {
    residentBytesMax = 104 * 1_048_576,
    afterStartMs = 5_000,
    lookEveryMs = 5_000,
    restMs = 60_000,
  }: TidyOptions = {},
): (() => void) => {
  if (collect === undefined) return () => undefined
  let restUntil = performance.now() + afterStartMs + lookEveryMs
  const tidy = (): void => {
    restUntil = performance.now() + restMs
    void collect()
  }
  const first = setTimeout(tidy, afterStartMs).unref()
  const looking = setInterval(() => {
    if (performance.now() >= restUntil && residentBytes() > residentBytesMax) tidy()
  }, lookEveryMs).unref()
  return () => {
    clearTimeout(first)
    clearInterval(looking)
  }
}

/** The collector of this process, as thorough as it gets: it compacts, and drops code that has not run for long. */
export const fullCollection = (): Parts['collect'] => {
  const { gc } = globalThis as { gc?: NodeJS.GCFunction }
  if (gc === undefined) return undefined
  return async () => {
    await gc({ type: 'major', execution: 'async', flavor: 'last-resort' })
  }
}
