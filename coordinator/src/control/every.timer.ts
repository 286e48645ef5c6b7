/** Does something again and again, never twice at a time. */

/** Begins at once, then `pauseMs` after each end. The returned function resolves when nothing of it runs any more. */
export const every = (
  pauseMs: number,
  task: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
): (() => Promise<void>) => {
  let stopped = false
  let wake = (): void => undefined
  const loop = async (): Promise<void> => {
    while (!stopped) {
      await task().catch(onFailure)
      if (stopped) return
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
    stopped = true
    wake()
    return running
  }
}
