/** Tries again what waits although the line is there: what could not be brought was slow, full or not there for a while. */

/** `random`: 0 ≤ x < 1; agents that were refused together do not come back together. */
export const keepRetrying = (
  retry: () => void,
  random: () => number,
  { everyMs = 600_000 }: { readonly everyMs?: number } = {},
): (() => void) => {
  let timer: NodeJS.Timeout
  const plan = (): void => {
    timer = setTimeout(
      () => {
        retry()
        plan()
      },
      everyMs * (0.5 + random() / 2),
    ).unref()
  }
  plan()
  return () => clearTimeout(timer)
}
