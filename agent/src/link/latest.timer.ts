/**
 * The latest value of one retained channel: a newer one replaces it, and it is published until the broker has it.
 * While there is no connection it waits for the next; a broker that is busy is asked again after a while.
 */

export interface LatestParts {
  /** Resolves when the broker has it; rejects for whatever reason. */
  readonly publish: (payload: Uint8Array) => Promise<void>
  /** Milliseconds before a payload that did not go out is tried again. */
  readonly delayMs: () => number
}

export interface Latest {
  readonly set: (payload: Uint8Array) => void
  /** There is a connection, a new one: what is set goes out, also if an earlier one had it. */
  readonly resume: () => void
  readonly pause: () => void
}

export const createLatest = ({ publish, delayMs }: LatestParts): Latest => {
  let latest: Uint8Array | undefined
  let isPaused = true
  let onTheWay = false
  let timer: NodeJS.Timeout | undefined

  const send = (): void => {
    clearTimeout(timer)
    const payload = latest
    if (payload === undefined || isPaused || onTheWay) return
    onTheWay = true
    const ended = (hasGone: boolean): void => {
      onTheWay = false
      if (isPaused) return
      if (!hasGone) timer = setTimeout(send, delayMs())
      else if (latest !== payload) send()
    }
    publish(payload).then(
      () => ended(true),
      () => ended(false),
    )
  }

  return {
    set: (payload) => {
      latest = payload
      send()
    },
    resume: () => {
      isPaused = false
      send()
    },
    pause: () => {
      isPaused = true
      clearTimeout(timer)
    },
  }
}
