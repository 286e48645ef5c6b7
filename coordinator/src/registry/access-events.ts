/** The facts about who gets in: people and their tokens, orders that were passed on, agents and their certificates. */

import { z } from 'zod'
import { epochMsSchema, nameSchema, sha256Schema } from '@imlma/protocol/wire'

/** Of a certificate: 32 hexadecimal digits. */
const serial = z.string().regex(/^[0-9a-f]{32}$/)

export const accessEvents = [
  z.object({ kind: z.literal('login'), user: z.string().max(32), address: z.string().max(64) }),
  /** Several in a minute are one event; `user` is null for a name that nobody has. */
  z.object({
    kind: z.literal('login-failed'),
    user: z.string().max(32).nullable(),
    address: z.string().max(64),
    failures: z.number().int().min(1),
  }),
  z.object({
    kind: z.literal('user-changed'),
    user: z.string().max(32),
    change: z.enum(['added', 'role', 'disabled', 'enabled', 'reset', 'password']),
    role: z.string().max(32),
    by: z.string().max(100),
  }),
  z.object({
    kind: z.literal('token-changed'),
    /** The first of its hash. */
    token: z.string().max(64),
    name: z.string().max(64),
    change: z.enum(['made', 'revoked']),
    scopes: z.array(z.string().max(32)).max(16),
    expiresAt: epochMsSchema,
    by: z.string().max(100),
  }),
  /** A technician's signed order that came through the API and was passed on, not changed. */
  z.object({
    kind: z.literal('command-passed-on'),
    model: nameSchema.nullable(),
    commandId: nameSchema,
    operation: z.string().max(32),
    agents: z.array(z.string().max(64)).max(1_000),
    keyids: z.array(sha256Schema).max(64),
    by: z.string().max(100),
  }),
  /** By the token whose id is given; its certificate is an event of its own. */
  z.object({ kind: z.literal('agent-enrolled'), agent: nameSchema, serial, token: z.string().max(64) }),
  z.object({
    kind: z.literal('certificate-issued'),
    agent: nameSchema,
    serial,
    notAfter: epochMsSchema,
    /** Of the signing key that was certified with it. */
    keyid: sha256Schema,
  }),
  z.object({
    kind: z.literal('certificate-denied'),
    agent: nameSchema.nullable(),
    serial,
    reason: z.string().max(200),
  }),
] as const
