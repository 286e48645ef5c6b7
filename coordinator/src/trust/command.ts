/** A technician's order, made into the signed command that agents take from any MQTT client. */

import { commandPayloadType, commandSchema, protocolVersion, type Command } from '@imlma/protocol/wire'
import { sealEnvelope, type Envelope, type Signer } from '@imlma/protocol/trust'

export type Order = Pick<Command, 'site' | 'agents' | 'model' | 'operation' | 'target' | 'reason'>

export interface CommandTerms {
  readonly now: number
  /** New and unguessable; the agents' answers come back under it. */
  readonly commandId: string
  /** Above every counter this key has signed, see `counter.fs.ts`. */
  readonly counter: number
  /** An hour: long enough for a gateway that reconnects, short enough that a forgotten order does not surprise. */
  readonly validityMs?: number
  /** Five minutes: clocks of laptops and gateways differ. */
  readonly clockSkewMs?: number
}

/** Throws a `ZodError` on an order that no agent would parse. */
export const toCommand = (order: Order, terms: CommandTerms): Command => {
  const { now, commandId, counter, validityMs = 3_600_000, clockSkewMs = 300_000 } = terms
  return commandSchema.parse({
    v: protocolVersion,
    commandId,
    ...order,
    notBefore: Math.max(0, now - clockSkewMs),
    expiresAt: now + validityMs,
    counter,
  })
}

export const sealCommand = (command: Command, technician: Signer): Envelope =>
  sealEnvelope(commandPayloadType, command, [technician])
