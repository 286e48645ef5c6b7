/** Does something again and again, never twice at a time. */

/** Begins at once, then `pauseMs` after each end. The returned function resolves when nothing of it runs any more. */
export const every = (
  pauseMs: number,
  task: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
): (() => Promise<void>) => {
  const stopping = new AbortController()
  let wake = (): void => undefined
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await task().catch(onFailure)
      if (stopping.signal.aborted) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  const running = loop()
  return () => {
    stopping.abort()
    wake()
    return running
  }
}
