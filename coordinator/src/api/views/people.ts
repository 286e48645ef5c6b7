/** Users, tokens and who one is, as administrators and the page see them: never a secret, a hash or an address. */

import { z } from 'zod'
import { epochMsSchema } from '@imlma/protocol/wire'
import { tokenNameSchema, userNameSchema } from '../people/records.ts'
import { scopes, userRoles } from '../people/roles.ts'

export const selfViewSchema = z
  .object({
    name: z.string(),
    kind: z.enum(['user', 'token']),
    /** Null for a token that opens nothing but the metrics. */
    role: z.enum(userRoles).nullable(),
  })
  .meta({ id: 'Self' })
export type SelfView = z.infer<typeof selfViewSchema>

export const userViewSchema = z
  .object({
    name: userNameSchema,
    role: z.enum(userRoles),
    /** `invited`: has not chosen a password yet. */
    state: z.enum(['active', 'invited', 'disabled']),
    createdAt: epochMsSchema,
  })
  .meta({ id: 'User' })
export type UserView = z.infer<typeof userViewSchema>

/** Shown once: whoever has the secret chooses the user's password, at `{page}#setup={secret}`. */
export const invitationViewSchema = z
  .object({ user: userViewSchema, secret: z.string(), expiresAt: epochMsSchema })
  .meta({ id: 'Invitation' })
export type InvitationView = z.infer<typeof invitationViewSchema>

export const tokenViewSchema = z
  .object({
    id: z.string(),
    name: tokenNameSchema,
    scopes: z.array(z.enum(scopes)),
    state: z.enum(['valid', 'expired', 'revoked']),
    createdAt: epochMsSchema,
    createdBy: z.string(),
    expiresAt: epochMsSchema,
  })
  .meta({ id: 'Token' })
export type TokenView = z.infer<typeof tokenViewSchema>

/** The token itself is shown once. */
export const madeTokenViewSchema = z
  .object({ token: tokenViewSchema, secret: z.string() })
  .meta({ id: 'MadeToken' })
export type MadeTokenView = z.infer<typeof madeTokenViewSchema>
