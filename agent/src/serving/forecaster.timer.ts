/**
 * When the forecaster runs: shortly after readings came (many series arrive in one burst), and now and then for
 * intervals that close by silence and for models that were activated. One run at a time.
 */

import type { Forecaster } from './forecaster.ts'

export interface ForecastLoop {
  /** Readings came; runs soon. */
  readonly wake: () => void
  /** Ends after the run under way. */
  readonly stop: () => Promise<void>
}

interface Options {
  /** Milliseconds in which the series of one burst gather. */
  readonly gatherMs?: number
  /** Milliseconds between looks without news. */
  readonly idleMs?: number
}

export const startForecastLoop = (
  { forecaster }: { readonly forecaster: Pick<Forecaster, 'run'> },
  { gatherMs = 10, idleMs = 250 }: Options = {},
): ForecastLoop => {
  let stopped = false
  let pending: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let again = false

  const run = (): void => {
    pending = undefined
    if (stopped) return
    if (running !== undefined) {
      again = true
      return
    }
    running = forecaster.run().finally(() => {
      running = undefined
      if (again) wake()
      again = false
    })
  }
  const wake = (): void => {
    if (!stopped) pending ??= setTimeout(run, gatherMs)
  }
  const idle = setInterval(wake, idleMs)
  wake()

  return {
    wake,
    stop: async () => {
      stopped = true
      clearInterval(idle)
      clearTimeout(pending)
      await running
    },
  }
}
