/**
 * The trust root: which keys may speak in which role, and how many of them it takes. How one root follows
 * another is in `chain.ts`.
 */

import { z } from 'zod'
import { epochMsSchema, headerSchema } from '../wire/header.ts'

export const rootPayloadType = 'application/vnd.imlma.root+json'

export const roles = ['root', 'release', 'director', 'technician', 'agent'] as const
export type Role = (typeof roles)[number]

const keyId = z.string().regex(/^[0-9a-f]{64}$/)

const keySchema = z.object({
  scheme: z.literal('ed25519'),
  /** Raw public key, 32 bytes, base64. */
  public: z.base64().length(44),
  /** For people: whose key it is. */
  name: z.string().max(64),
})

const roleSchema = z.object({ keyids: z.array(keyId).max(256), threshold: z.number().int().min(1).max(16) })

export const rootSchema = headerSchema.extend({
  version: z.number().int().min(1),
  expiresAt: epochMsSchema,
  keys: z.record(keyId, keySchema),
  roles: z.object({
    root: roleSchema,
    release: roleSchema,
    director: roleSchema,
    technician: roleSchema,
    agent: roleSchema,
  }),
})
export type TrustRoot = z.infer<typeof rootSchema>
