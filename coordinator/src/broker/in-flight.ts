/** Lets a bounded number of jobs run at once, a bounded number wait in line, and refuses the rest. */

import { Failure } from '@imlma/protocol/result'

export interface InFlight {
  /** Runs the job when it is its turn. Throws `Failure` BROKER_BUSY when too many wait already. */
  readonly pass: <Value>(job: () => Promise<Value>) => Promise<Value>
}

export const createInFlight = (runningMax: number, waitingMax: number): InFlight => {
  let running = 0
  const waiting: (() => void)[] = []

  const enter = async (): Promise<void> => {
    if (running < runningMax) {
      running += 1
      return
    }
    if (waiting.length >= waitingMax) {
      throw new Failure('BROKER_BUSY', `${waitingMax} messages wait for the broker already`, {
        retryable: true,
        hint: 'the broker is slow or stuck: look at its load',
      })
    }
    // Whoever leaves hands its place over, so `running` stays as it is.
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
    })
  }

  const leave = (): void => {
    const next = waiting.shift()
    if (next === undefined) running -= 1
    else next()
  }

  return {
    pass: async (job) => {
      await enter()
      try {
        return await job()
      } finally {
        leave()
      }
    },
  }
}
