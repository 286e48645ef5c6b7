/** Does a challenger that answers stay well? Enough good runs or enough quiet time end it; one bad run fails it. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { Serving, SessionIdentity } from './serving.ts'

export interface ProbationOptions {
  /** Answered runs after which it is healthy. */
  readonly probationRuns?: number
  /** Milliseconds after which it is healthy without them: forecasts may be minutes apart. */
  readonly probationMs?: number
}

export type ProbationRefusal = 'CRASHED' | 'ACCURACY'

interface Parts {
  readonly serving: Pick<Serving, 'onRun'>
  /** Resolves after `ms`, or when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

/** A run that failed is CRASHED; an answer that is not finite is ACCURACY: it predicts nothing. */
export const watchProbation = async (
  { serving, wait }: Parts,
  { model, sha256 }: Pick<SessionIdentity, 'model' | 'sha256'>,
  signal: AbortSignal,
  { probationRuns = 3, probationMs = 1_500 }: ProbationOptions = {},
): Promise<Result<void, ProbationRefusal>> => {
  const over = new AbortController()
  const ends = AbortSignal.any([signal, over.signal])
  let answered = 0
  let verdict: Result<void, ProbationRefusal> = accept(undefined)
  const stop = serving.onRun((run) => {
    if (ends.aborted || run.model !== model || run.sha256 !== sha256) return
    if (run.outcome === 'answered') {
      answered += 1
      if (answered >= probationRuns) over.abort()
      return
    }
    verdict =
      run.outcome === 'failed'
        ? refuse('CRASHED', 'a run failed on probation')
        : refuse('ACCURACY', 'a forecast was not finite on probation')
    over.abort()
  })
  await wait(probationMs, ends)
  stop()
  return verdict
}
