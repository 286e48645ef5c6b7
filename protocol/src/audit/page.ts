/**
 * How an agent's log reaches the control centre: pages from the place on that was acknowledged last, each with where the
 * log begins and ends now. An empty page says that there is nothing new, and the head with it that nothing is gone.
 */

import { z } from 'zod'
import { envelopeSchema } from '../trust/envelope.ts'
import { headerSchema, nameSchema } from '../wire/header.ts'
import { auditEntrySchema, auditHeadSchema } from './chain.ts'

/** Entries of one page: a gateway that was away for weeks catches up in some hundred pages. */
export const auditPageEntriesMax = 200

export const auditPageSchema = headerSchema.extend({
  log: nameSchema,
  /** The place before the oldest entry that the agent still holds, and the checkpoint that was signed there. */
  base: auditHeadSchema,
  baseCheckpoint: envelopeSchema.nullable(),
  /** Where the log ends on the agent's disk; `checkpoint` is signed there, or null without a signing key. */
  head: auditHeadSchema,
  checkpoint: envelopeSchema.nullable(),
  /** Without a gap, oldest first. */
  entries: z.array(auditEntrySchema).max(auditPageEntriesMax),
})
export type AuditPage = Readonly<z.infer<typeof auditPageSchema>>

/** Everything up to and with `seq` of this log is stored; the agent goes on behind it, whatever it has sent before. */
export const auditAckSchema = headerSchema.extend({ log: nameSchema, seq: z.number().int().min(0) })
export type AuditAck = Readonly<z.infer<typeof auditAckSchema>>
