/** Challengers on probation beside their champions, put together: a runner and its models of their own, beside the shadow's. */

import type { Log } from './log.pino.ts'
import { stepsWatched } from './monitoring/realised-errors.ts'
import { createTrials, type ForecastTrials } from './monitoring/trials.ts'
import { createActiveModels } from './serving/active-models.ts'
import type { ForecastHistory } from './serving/feature-rows.ts'
import type { ModelIdentity } from './serving/serving.ts'
import { createShadowRunner } from './serving/shadow-runner.ts'

interface Parts {
  readonly history: Pick<ForecastHistory, 'read' | 'readCovariate'>
  readonly readActual: Parameters<typeof createTrials>[0]['readActual']
  /** Lets everything else of this thread go first; resolves when no forecast that somebody waits for is at work. */
  readonly rest: () => Promise<void>
  readonly log: Log
}

interface RunningTrials {
  readonly trials: ForecastTrials
  readonly stop: () => Promise<void>
}

export const startTrials = ({ history, readActual, rest, log }: Parts): RunningTrials => {
  const warn = ({ model, version }: ModelIdentity, cause: unknown): void =>
    log.warn({ model, version, err: cause }, 'no forecast of the champion beside its challenger')
  const beside = createActiveModels({
    now: () => performance.now(),
    load: () => Promise.reject(new Error('what runs beside a challenger was loaded before')),
    onCloseFailed: warn,
  })
  const runner = createShadowRunner({
    models: beside,
    history,
    rest,
    steps: stepsWatched,
    onBatch: () => undefined,
    onPaired: (paired) => trials.onPaired(paired),
    onFailed: warn,
  })
  const trials = createTrials({ beside, run: runner.note, readActual })
  return {
    trials,
    stop: async () => {
      await runner.stop()
      await beside.close()
    },
  }
}
