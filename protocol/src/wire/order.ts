/**
 * A technician's order, made into a command: what `imlma` and the page sign, to the byte the same. What is here needs
 * nothing but the language, so that a browser runs these very lines.
 */

import type { Command } from './command.ts'
import { protocolVersion } from './version.ts'

export const commandPayloadType = 'application/vnd.imlma.command+json'

export type Order = Pick<Command, 'site' | 'agents' | 'model' | 'operation' | 'target' | 'reason'>

export interface CommandTerms {
  readonly now: number
  /** New and unguessable; the agents' answers come back under it. */
  readonly commandId: string
  /** Above every counter this key has signed: `nextCounterAfter`. */
  readonly counter: number
  /** An hour: long enough for a gateway that reconnects, short enough that a forgotten order does not surprise. */
  readonly validityMs?: number
  /** Five minutes: clocks of laptops and gateways differ. */
  readonly clockSkewMs?: number
}

/** The command with its fields in the order of `commandSchema`; whoever takes it in parses it. */
export const toCommandDocument = (
  { site, agents, model, operation, target, reason }: Order,
  { now, commandId, counter, validityMs = 3_600_000, clockSkewMs = 300_000 }: CommandTerms,
): Command => ({
  v: protocolVersion,
  commandId,
  site,
  agents,
  model,
  operation,
  target,
  reason,
  notBefore: Math.max(0, now - clockSkewMs),
  expiresAt: now + validityMs,
  counter,
})

/**
 * The counter of a technician's key: the time in milliseconds, and at least one above the last. So a key that is copied
 * to another machine goes on without its counter, and a clock that is set back does not stop it.
 */
export const nextCounterAfter = (last: number, now: number): number => Math.max(last + 1, now)
