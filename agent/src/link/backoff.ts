/** How long to wait before the next try: twice as long each time, and never everybody at once. */

export interface Backoff {
  readonly delayMsMin: number
  readonly delayMsMax: number
}

/** Milliseconds before try `attempt` (0 is the first after a failure): between half and the whole of its step. */
export const toDelayMs = (
  attempt: number,
  { delayMsMin, delayMsMax }: Backoff,
  random: () => number,
): number => {
  const step = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(attempt, 30))
  return step * (0.5 + random() / 2)
}
