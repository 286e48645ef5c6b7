/**
 * The counter of a technician's key: grows with every command, so that a recorded one cannot be played again. It is
 * the time in milliseconds, and at least one above the last: a key that is copied to another laptop goes on without
 * its file, and the file keeps it growing where a clock is set back.
 */

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { writeDurably } from '@imlma/protocol/node'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import { nextCounterAfter } from '@imlma/protocol/wire'

const counterSchema = z.object({
  v: z.literal(1),
  last: z
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER - 1),
})

/** Durable before it is returned. Throws `Failure` COUNTER_UNREADABLE, NO_SPACE, WRITE_FAILED. */
export const nextCounter = async (keyPath: string, now: number): Promise<number> => {
  const path = `${keyPath}.counter`
  const counter = nextCounterAfter(await lastCounter(path), now)
  await writeDurably(path, `${JSON.stringify({ v: 1, last: counter })}\n`, 0o600)
  return counter
}

/** The key signs a command of somebody else's counter: durable before it is returned. Refused with COUNTER_PASSED. */
export const claimCounter = async (
  keyPath: string,
  counter: number,
): Promise<Result<void, 'COUNTER_PASSED'>> => {
  const path = `${keyPath}.counter`
  if ((await lastCounter(path)) >= counter) {
    return refuse(
      'COUNTER_PASSED',
      'this key has signed a later command, or this very one: agents would refuse it as a replay',
      'have the command given anew, and approve that one',
    )
  }
  await writeDurably(path, `${JSON.stringify({ v: 1, last: counter })}\n`, 0o600)
  return accept(undefined)
}

const lastCounter = async (path: string): Promise<number> => {
  try {
    return counterSchema.parse(JSON.parse(await readFile(path, 'utf8'))).last
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return 0
    throw new Failure('COUNTER_UNREADABLE', `${path} holds no counter`, {
      cause,
      hint: 'remove the file: the clock takes over, which must not be behind the last command',
    })
  }
}
