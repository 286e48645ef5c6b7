/** How often may one address ask? A bucket of tokens each, refilled as time goes by; strangers cannot fill the memory. */

interface Options {
  /** Requests at once. */
  readonly burst: number
  readonly perSecond: number
  /** Addresses that are remembered; the one that asked longest ago is forgotten first. */
  readonly keysMax: number
}

/** True when a request by `key` may go on at `now`, which is counted then. */
export const createRateLimit = ({ burst, perSecond, keysMax }: Options) => {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return (key: string, now: number): boolean => {
    const found = buckets.get(key) ?? { tokens: burst, at: now }
    const refilled = found.tokens + (Math.max(0, now - found.at) / 1_000) * perSecond
    const tokens = Math.min(burst, refilled)
    const allowed = tokens >= 1
    // Set anew, so that the first in the map is the one that asked longest ago.
    buckets.delete(key)
    buckets.set(key, { tokens: allowed ? tokens - 1 : tokens, at: now })
    const [oldest] = buckets.keys()
    if (buckets.size > keysMax && oldest !== undefined) buckets.delete(oldest)
    return allowed
  }
}
