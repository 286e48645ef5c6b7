/** That a worker was lost, why, and whether its model is to blame. */

import type { ModelIdentity } from '../serving.ts'

/** `hung`: no answer within the deadline; `memory`: it wanted more than it may have; `crashed`: its process ended. */
export type LossCause = 'hung' | 'memory' | 'crashed'

export interface LostWorker extends ModelIdentity {
  readonly cause: LossCause
  readonly detail: string
  /** It was running or being loaded. A worker that ends while it waits was ended by somebody else. */
  readonly atWork: boolean
}

/** The kernel's killer, the runtime's allocator and V8's heap say it in these words. */
export const isOutOfMemory = (words: string): boolean =>
  /bad_alloc|failed to allocate|out of memory|bad allocation|signal SIGKILL/i.test(words)
