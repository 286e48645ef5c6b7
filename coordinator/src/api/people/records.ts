/** What is kept of people and machines for a restart: users, their sessions, tokens. No secret is in any of it. */

import { z } from 'zod'
import { epochMsSchema, sha256Schema } from '@imlma/protocol/wire'
import { scopes, userRoles } from './roles.ts'

/** Small letters, so that no two people are told apart by a capital. */
export const userNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9._-]{0,31}$/, 'small letters, digits, . _ and -, from a letter on, at most 32')

/** One use; whoever has its secret chooses the user's password. */
const invitationSchema = z.object({ digest: sha256Schema, expiresAt: epochMsSchema })

export const userRecordSchema = z.object({
  name: userNameSchema,
  role: z.enum(userRoles),
  /** Argon2id in the PHC string format; null until the person has chosen one. */
  password: z.string().max(200).nullable(),
  disabled: z.boolean(),
  invitation: invitationSchema.nullable(),
  createdAt: epochMsSchema,
  /** Role, password or being let in: what ends every session. */
  changedAt: epochMsSchema,
})
export type UserRecord = Readonly<z.infer<typeof userRecordSchema>>

export const sessionRecordSchema = z.object({
  user: userNameSchema,
  createdAt: epochMsSchema,
  seenAt: epochMsSchema,
})
export type SessionRecord = Readonly<z.infer<typeof sessionRecordSchema>>

export const tokenNameSchema = z.string().regex(/^[A-Za-z0-9 ._-]{1,64}$/, 'letters, digits, space . _ and -')

export const tokenRecordSchema = z.object({
  /** The first of the secret's hash: names it without telling anything. */
  id: z.string().regex(/^[0-9a-f]{12}$/),
  digest: sha256Schema,
  name: tokenNameSchema,
  scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
  createdAt: epochMsSchema,
  createdBy: z.string().max(100),
  expiresAt: epochMsSchema,
  revokedAt: epochMsSchema.nullable(),
})
export type TokenRecord = Readonly<z.infer<typeof tokenRecordSchema>>
