/**
 * A loaded model that runs in a worker, and outlives it:
 *
 *   working ──deadline, end, out of memory──▶ lost ──pause──▶ file hashed again, new worker ──▶ working
 *
 * Whoever waits when it is lost, or asks before it is back, is refused at once: somebody else answers
 * (`active-models.ts`). Whether a version that loses worker after worker still serves is decided elsewhere, by `onLost`.
 */

import type { Contract } from '@imlma/protocol/manifest'
import { quantilesOf } from '@imlma/protocol/manifest'
import { Failure, invariant } from '@imlma/protocol/result'
import { checkContract } from '../contract.ts'
import type { LoadedModel, ModelIdentity } from '../serving.ts'
import { deadlineMsOf, type DeadlineOptions } from './deadline.ts'
import { isOutOfMemory, type LossCause, type LostWorker } from './lost.ts'
import type { Worker } from './worker.process.ts'

interface Parts {
  readonly start: () => Promise<Worker>
  /** Of the file that `start` loads. */
  readonly digestOf: () => Promise<string>
  readonly onLost: (lost: LostWorker) => void
  readonly onRestarted: (sha256: string) => void
}

interface Terms {
  readonly identity: ModelIdentity
  readonly contract: Contract
  /** As signed, where it is known. */
  readonly latencyMsBudget: number | undefined
}

interface Options extends DeadlineOptions {
  /** Milliseconds before the first new worker; doubles with each that is lost soon after, up to `restartMsMax`. */
  readonly restartMsMin?: number
  readonly restartMsMax?: number
}

export interface IsolatedModel extends LoadedModel {
  /** Of its worker; undefined while there is none. */
  readonly pid: () => number | undefined
}

interface Waiting {
  readonly features: Float32Array
  readonly rows: number
  readonly into: Float32Array
  readonly quantilesInto: Float32Array | undefined
  readonly resolve: (values: Float32Array) => void
  readonly reject: (cause: Failure) => void
}

/** Milliseconds by which a timer that was late is believed to be this process's own delay. */
const ownDelayMs = 250

/** Throws `Failure` LOAD_FAILED, CONTRACT_MISMATCH. */
export const loadIsolated = async (
  { start, digestOf, onLost, onRestarted }: Parts,
  { identity: { model, version, sha256 }, contract, latencyMsBudget }: Terms,
  { restartMsMin = 100, restartMsMax = 30_000, ...deadlines }: Options = {},
): Promise<IsolatedModel> => {
  const columns = contract.inputs[0]?.shape.at(-1) as number
  const quantileCount = quantilesOf(contract).length
  const queue: Waiting[] = []
  let worker: Worker | undefined
  let current: Waiting | undefined
  let deadline: NodeJS.Timeout | undefined
  let restarting: NodeJS.Timeout | undefined
  let closing: Promise<void> | undefined
  let lostInARow = 0

  const open = async (): Promise<Worker> => {
    const started = await start()
    const agreed = checkContract(contract, started.inputs, started.outputs)
    if (agreed.ok) return started
    started.kill()
    throw new Failure('CONTRACT_MISMATCH', agreed.refusal.message)
  }
  const adopt = (started: Worker): void => {
    worker = started
    void started.ended.then((how) => lose(started, isOutOfMemory(how) ? 'memory' : 'crashed', how))
  }

  const refusal = (why: string, cause?: unknown): Failure =>
    new Failure('RUN_FAILED', `${model} version ${version} did not answer: ${why}`, {
      retryable: true,
      cause,
    })

  /** Ends what is left of this worker and refuses everybody who waits for it. */
  const lose = (lost: Worker, cause: LossCause, detail: string): void => {
    if (worker !== lost || closing !== undefined) return
    worker = undefined
    lost.kill()
    clearTimeout(deadline)
    const atWork = current !== undefined
    for (const waiting of [...(current ? [current] : []), ...queue.splice(0)]) waiting.reject(refusal(detail))
    current = undefined
    onLost({ model, version, sha256, cause, detail, atWork })
    restartLater()
  }
  const restartLater = (): void => {
    const pause = Math.min(restartMsMax, restartMsMin * 2 ** lostInARow)
    lostInARow += 1
    restarting = setTimeout(() => void restart(), pause)
    restarting.unref()
  }
  const restart = async (): Promise<void> => {
    try {
      // The file may have changed since it was verified.
      if ((await digestOf()) !== sha256) throw new Failure('LOAD_FAILED', 'its file is not what was signed')
      const started = await open()
      if (closing !== undefined) return started.kill()
      onRestarted(sha256)
      adopt(started)
    } catch (cause) {
      if (closing !== undefined) return
      const detail = cause instanceof Error ? cause.message : String(cause)
      onLost({ model, version, sha256, cause: 'crashed', detail, atWork: true })
      restartLater()
    }
  }

  const watch = (running: Worker, rows: number): void => {
    const ms = deadlineMsOf(rows, latencyMsBudget, deadlines)
    const due = performance.now() + ms
    deadline = setTimeout(() => {
      // Where this process stood still, the answer may be here, unread.
      const wasLate = performance.now() - due > ownDelayMs
      if (wasLate) deadline = setTimeout(hung, ownDelayMs)
      else hung()
    }, ms)
    const hung = (): void => lose(running, 'hung', `no answer within ${Math.round(ms)} ms`)
  }

  const runNext = async (): Promise<void> => {
    const running = worker
    if (current !== undefined || running === undefined) return
    const next = queue.shift()
    if (next === undefined) return
    current = next
    watch(running, next.rows)
    try {
      await running.run(next.features, next.rows, next.into, next.quantilesInto)
      next.resolve(next.into)
      lostInARow = 0
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause)
      // A worker that ends is told by its end. One whose memory is spent stays there, and is of no use any more.
      if (cause instanceof Failure && cause.code === 'WORKER_LOST') return
      if (isOutOfMemory(detail)) return lose(running, 'memory', detail)
      next.reject(refusal(detail, cause))
    }
    if (current !== next) return
    current = undefined
    clearTimeout(deadline)
    void runNext()
  }

  adopt(await open())
  return {
    model,
    version,
    sha256,
    contract,
    pid: () => worker?.pid,
    run: (features, rows, into = new Float32Array(rows * contract.horizon), quantilesInto) => {
      invariant(closing === undefined, 'a closed model is not run')
      invariant(features.length >= rows * columns, 'features hold rows × columns')
      invariant(
        quantilesInto === undefined || quantileCount > 0,
        'only a model with quantiles is asked for them',
      )
      if (worker === undefined) return Promise.reject(refusal('its worker is being replaced'))
      return new Promise((resolve, reject) => {
        queue.push({
          features: features.subarray(0, rows * columns),
          rows,
          into,
          quantilesInto,
          resolve,
          reject,
        })
        void runNext()
      })
    },
    close: () => {
      closing ??= worker?.ended.then(() => undefined) ?? Promise.resolve()
      clearTimeout(restarting)
      clearTimeout(deadline)
      for (const waiting of [...(current ? [current] : []), ...queue.splice(0)])
        waiting.reject(refusal('it closes'))
      current = undefined
      worker?.kill()
      return closing
    },
  }
}
