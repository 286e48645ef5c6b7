/** A technician's order, made into the signed command that agents take from any MQTT client. */

import {
  commandPayloadType,
  commandSchema,
  toCommandDocument,
  type Command,
  type CommandTerms,
  type Order,
} from '@imlma/protocol/wire'
import { sealEnvelope, type Envelope, type Signer } from '@imlma/protocol/trust'

export type { Order } from '@imlma/protocol/wire'

/** Throws a `ZodError` on an order that no agent would parse. */
export const toCommand = (order: Order, terms: CommandTerms): Command =>
  commandSchema.parse(toCommandDocument(order, terms))

/** By one technician, or by all who must agree. */
export const sealCommand = (command: Command, ...technicians: readonly Signer[]): Envelope =>
  sealEnvelope(commandPayloadType, command, technicians)
