/** A pass over the model files once a day, the first a while after the start: a start has better things to do. */

export const keepScrubbed = (
  scrub: (signal: AbortSignal) => Promise<void>,
  onFailure: (cause: unknown) => void,
  { everyMs = 86_400_000, delayMs = 900_000 }: { readonly everyMs?: number; readonly delayMs?: number } = {},
): (() => Promise<void>) => {
  const stopping = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout
  const pass = (): void => {
    running = scrub(stopping.signal).catch(onFailure)
    void running.then(() => {
      if (!stopping.signal.aborted) timer = setTimeout(pass, everyMs).unref()
    })
  }
  timer = setTimeout(pass, delayMs).unref()
  return async () => {
    stopping.abort()
    clearTimeout(timer)
    await running
  }
}
