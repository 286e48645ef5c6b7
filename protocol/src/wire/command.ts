/** What a technician can order, and how an agent answers. The command travels inside a signed envelope. */

import { z } from 'zod'
import { epochMsSchema, headerSchema, nameSchema } from './header.ts'

export const operations = ['rollback', 'pin', 'unpin', 'quarantine', 'resend', 'report'] as const
export type Operation = (typeof operations)[number]

export const commandSchema = headerSchema.extend({
  commandId: nameSchema,
  site: nameSchema,
  /** Names of agents, or `*` alone for every agent of the site. */
  agents: z.union([z.array(nameSchema).min(1).max(1_000), z.tuple([z.literal('*')])]),
  model: nameSchema.nullable(),
  operation: z.enum(operations),
  /** rollback: `previous` or a version; quarantine: a version; resend: a sequence; otherwise null. */
  target: z.union([z.literal('previous'), z.number().int().min(1), z.null()]),
  reason: z.string().min(1).max(500),
  notBefore: epochMsSchema,
  expiresAt: epochMsSchema,
  /** Grows with every command of one key; an agent refuses what is not above the highest it has seen. */
  counter: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
})
export type Command = z.infer<typeof commandSchema>

export const commandRefusals = [
  'BAD_SIGNATURE',
  'UNKNOWN_KEY',
  'NOT_AUTHORISED',
  'WRONG_TARGET',
  'EXPIRED',
  'NOT_YET_VALID',
  'REPLAYED',
  'RETAINED',
  'UNKNOWN_VERSION',
  'NOT_ON_DISK',
  'DIGEST_MISMATCH',
  'QUARANTINED',
  'MALFORMED',
  'TOO_LARGE',
  'SHADOW_ONLY',
] as const
export type CommandRefusal = (typeof commandRefusals)[number]

export const resultSchema = headerSchema.extend({
  commandId: nameSchema,
  state: z.enum(['accepted', 'executing', 'succeeded', 'refused', 'failed']),
  code: z.string().max(64).nullable(),
  detail: z.string().max(500),
  /** Version that serves after the command, per model; null before the first one. */
  serving: z.record(nameSchema, z.number().int().min(1).nullable()),
  at: epochMsSchema,
})
export type CommandResult = z.infer<typeof resultSchema>
