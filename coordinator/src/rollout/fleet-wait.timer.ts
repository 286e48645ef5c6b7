/** Waits for something to become true that is only worth looking at after a change, and never for ever. */

export interface FleetWait {
  /** Resolves when the condition holds, after `timeoutMs`, or on `release`, whichever comes first. */
  readonly until: (condition: () => boolean, timeoutMs: number) => Promise<void>
  /** Looks at every waiting condition. */
  readonly check: () => void
  readonly release: () => void
}

export const createFleetWait = (): FleetWait => {
  const waiting = new Set<{ condition: () => boolean; end: () => void }>()
  return {
    until: (condition, timeoutMs) =>
      new Promise((resolve) => {
        if (condition()) {
          resolve()
          return
        }
        const entry = { condition, end: () => undefined as void }
        const timer = setTimeout(() => entry.end(), timeoutMs)
        entry.end = () => {
          clearTimeout(timer)
          waiting.delete(entry)
          resolve()
        }
        waiting.add(entry)
      }),
    check: () => {
      for (const entry of waiting) if (entry.condition()) entry.end()
    },
    release: () => {
      for (const entry of waiting) entry.end()
    },
  }
}
