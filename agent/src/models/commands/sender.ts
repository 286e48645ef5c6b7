/**
 * Sends the results of commands, in order, and again after a reconnect until the broker has acknowledged each. What a
 * technician waits for must not be lost because the link was down for the moment in which it was said.
 */

import { encodeJson, type CommandResult } from '@imlma/protocol/wire'
import type { Link } from '../../link/link.ts'

export interface ResultSender {
  readonly say: (result: CommandResult) => void
  /** Sends again what was not acknowledged. */
  readonly flush: () => void
}

/** Results kept for the next connect: refusals of forged commands must not fill the memory. */
const unsentMax = 256

export const createResultSender = (
  link: Pick<Link, 'publish'>,
  onDelivered: (result: CommandResult) => void,
): ResultSender => {
  /** The latest result of each command. */
  const unsent = new Map<string, CommandResult>()
  let queue: Promise<void> = Promise.resolve()

  const send = async (result: CommandResult): Promise<void> => {
    try {
      await link.publish('result', encodeJson(result), result.commandId)
    } catch {
      return // the next connect sends it again
    }
    if (unsent.get(result.commandId) === result) unsent.delete(result.commandId)
    onDelivered(result)
  }
  const enqueue = (result: CommandResult): void => {
    queue = queue.then(() => send(result))
  }

  return {
    say: (result) => {
      unsent.delete(result.commandId)
      unsent.set(result.commandId, result)
      const [oldest] = unsent.keys()
      if (unsent.size > unsentMax && oldest !== undefined) unsent.delete(oldest)
      enqueue(result)
    },
    flush: () => {
      for (const result of unsent.values()) enqueue(result)
    },
  }
}
