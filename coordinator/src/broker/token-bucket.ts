/** How fast may one connection go on? Work costs tokens that come back with time; a debt is waited for, not refused. */

export interface TokenBucketOptions {
  readonly perSecond: number
  /** Tokens at the beginning, and at most. */
  readonly burst: number
}

/** Spends `cost` tokens at `now`, and says for how many milliseconds nothing more may be taken. */
export type Spend = (cost: number, now: number) => number

export const createTokenBucket = ({ perSecond, burst }: TokenBucketOptions, startedAt: number): Spend => {
  let tokens = burst
  let at = startedAt
  return (cost, now) => {
    tokens = Math.min(burst, tokens + (Math.max(0, now - at) / 1_000) * perSecond) - cost
    at = now
    return tokens >= 0 ? 0 : Math.ceil((-tokens / perSecond) * 1_000)
  }
}
