/**
 * Appends that wait for the one before them share the next commit: fifty agents that report at once cost two
 * commits, not fifty. What was asked first is written first, and a call's events stay together.
 */

import { Failure } from '@imlma/protocol/result'
import type { ChainedEvent, RegistryEvent } from './events.ts'

export interface AppendRequest {
  readonly events: readonly RegistryEvent[]
  readonly at: number
}

/** Commits all requests together or none; one answer a request, in order. */
export type Commit = (requests: readonly AppendRequest[]) => Promise<readonly (readonly ChainedEvent[])[]>

interface Waiting extends AppendRequest {
  readonly resolve: (events: readonly ChainedEvent[]) => void
  readonly reject: (cause: unknown) => void
}

interface CommitQueueOptions {
  /** Requests of one transaction: keeps readers waiting for milliseconds only. */
  readonly groupMax?: number
  /** Requests that wait; more means that the disk has stopped answering. */
  readonly waitingMax?: number
}

export interface CommitQueue {
  /** Throws `Failure` REGISTRY_BUSY (retryable) when too many wait already. */
  readonly append: (request: AppendRequest) => Promise<readonly ChainedEvent[]>
  /** Runs while nothing is being committed. */
  readonly exclusive: <Value>(work: () => Promise<Value>) => Promise<Value>
}

export const createCommitQueue = (commit: Commit, options: CommitQueueOptions = {}): CommitQueue => {
  const { groupMax = 64, waitingMax = 10_000 } = options
  const waiting: Waiting[] = []
  let turn: Promise<unknown> = Promise.resolve()

  const exclusive: CommitQueue['exclusive'] = (work) => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  const drain = async (): Promise<void> => {
    const group = waiting.splice(0, groupMax)
    if (waiting.length > 0) void exclusive(drain)
    if (await commitTogether(group)) return
    // One of them is not acceptable: the others must not suffer for it.
    for (const request of group) await commitTogether([request], true)
  }

  const commitTogether = async (group: readonly Waiting[], last = group.length === 1): Promise<boolean> => {
    try {
      const answers = await commit(group)
      group.forEach(({ resolve }, index) => resolve(answers[index] ?? []))
      return true
    } catch (cause) {
      if (last) group.forEach(({ reject }) => reject(cause))
      return last
    }
  }

  const append: CommitQueue['append'] = (request) => {
    if (waiting.length >= waitingMax) {
      throw new Failure('REGISTRY_BUSY', `${waiting.length} appends are waiting for the disk`, {
        retryable: true,
        hint: 'check the disk under the data directory',
      })
    }
    return new Promise((resolve, reject) => {
      waiting.push({ ...request, resolve, reject })
      if (waiting.length === 1) void exclusive(drain)
    })
  }

  return { append, exclusive }
}
