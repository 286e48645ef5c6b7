/** Routes by which administrators let people and machines in, and keep them out. */

import { z } from 'zod'
import { accept, type Result } from '@imlma/protocol/result'
import type { People } from '../people/people.ts'
import { tokenNameSchema, userNameSchema, type TokenRecord, type UserRecord } from '../people/records.ts'
import { scopes, userRoles } from '../people/roles.ts'
import type { Invitation } from '../people/users.ts'
import { declareCommand, declareRead, type Api } from '../route.http.ts'
import {
  invitationViewSchema,
  madeTokenViewSchema,
  tokenViewSchema,
  userViewSchema,
  type InvitationView,
  type TokenView,
  type UserView,
} from '../views.ts'

const dayMs = 86_400_000
/** A machine that nobody has looked after for a year needs somebody to look after it. */
const tokenDaysMax = 366

const userParams = z.object({ name: userNameSchema })
const tokenParams = z.object({ id: z.string().regex(/^[0-9a-f]{12}$/) })
const roleSchema = z.enum(userRoles)

export const addPeopleRoutes = (api: Api, people: People, now: () => number): void => {
  addUserRoutes(api, people)
  addTokenRoutes(api, people, now)
}

const addUserRoutes = (api: Api, people: People): void => {
  const common = { tag: 'people', role: 'administrator' } as const

  declareRead(api, '/users', {
    ...common,
    operationId: 'listUsers',
    summary: 'All users',
    description: 'By name, with role and whether they can log in.',
    output: z.array(userViewSchema),
    answer: async () => accept(people.users().map(toUserView)),
  })
  declareCommand(api, '/users', {
    ...common,
    operationId: 'addUser',
    summary: 'Let somebody in',
    description: 'Answers with a one-time secret, with which the person chooses a password.',
    body: z.object({ name: userNameSchema, role: roleSchema }),
    output: invitationViewSchema,
    answer: async ({ body, by }) => toInvitationView(await people.addUser(body.name, body.role, by)),
  })
  declareCommand(api, '/users/{name}/role', {
    ...common,
    operationId: 'setRole',
    summary: 'Give another role',
    description: 'Ends the sessions of the user.',
    params: userParams,
    body: z.object({ role: roleSchema }),
    output: userViewSchema,
    answer: async ({ params, body, by }) => toChanged(await people.setRole(params.name, body.role, by)),
  })
  declareCommand(api, '/users/{name}/disabled', {
    ...common,
    operationId: 'setDisabled',
    summary: 'Lock out, or let in again',
    description: 'Ends the sessions of the user at once.',
    params: userParams,
    body: z.object({ disabled: z.boolean() }),
    output: userViewSchema,
    answer: async ({ params, body, by }) =>
      toChanged(await people.setDisabled(params.name, body.disabled, by)),
  })
  declareCommand(api, '/users/{name}/reset', {
    ...common,
    operationId: 'resetUser',
    summary: 'Give a new one-time secret',
    description:
      'For a forgotten password. Sessions end, and the old password is no good any more – unless it is the only one ' +
      'of an administrator, which is good until the secret is used.',
    params: userParams,
    body: z.object({}),
    output: invitationViewSchema,
    answer: async ({ params, by }) => toInvitationView(await people.resetUser(params.name, by)),
  })
}

const addTokenRoutes = (api: Api, people: People, now: () => number): void => {
  const common = { tag: 'people', role: 'administrator' } as const

  declareRead(api, '/tokens', {
    ...common,
    operationId: 'listTokens',
    summary: 'All tokens of machines',
    description: 'Latest first; the tokens themselves are not known here.',
    output: z.array(tokenViewSchema),
    answer: async () => accept(people.tokens().map((token) => toTokenView(token, now()))),
  })
  declareCommand(api, '/tokens', {
    ...common,
    operationId: 'makeToken',
    summary: 'Make a token',
    description: 'The token is in the answer, and can not be shown again.',
    body: z.object({
      name: tokenNameSchema,
      scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
      days: z.number().positive().max(tokenDaysMax).default(90),
    }),
    output: madeTokenViewSchema,
    answer: async ({ body, by }) => {
      const validityMs = Math.round(body.days * dayMs)
      const made = await people.makeToken({ name: body.name, scopes: body.scopes, validityMs, by })
      if (!made.ok) return made
      return accept({ token: toTokenView(made.value.token, now()), secret: made.value.secret })
    },
  })
  declareCommand(api, '/tokens/{id}/revoke', {
    ...common,
    operationId: 'revokeToken',
    summary: 'Revoke a token',
    description: 'Refused from the next request on.',
    params: tokenParams,
    body: z.object({}),
    output: tokenViewSchema,
    answer: async ({ params, by }) => {
      const revoked = await people.revokeToken(params.id, by)
      return revoked.ok ? accept(toTokenView(revoked.value, now())) : revoked
    },
  })
}

const toUserView = ({ name, role, disabled, password, createdAt }: UserRecord): UserView => ({
  name,
  role,
  state: disabled ? 'disabled' : password === null ? 'invited' : 'active',
  createdAt,
})

const toChanged = (changed: Result<UserRecord>): Result<UserView> =>
  changed.ok ? accept(toUserView(changed.value)) : changed

const toInvitationView = (invited: Result<Invitation>): Result<InvitationView> => {
  if (!invited.ok) return invited
  const { user, secret, expiresAt } = invited.value
  return accept({ user: toUserView(user), secret, expiresAt })
}

const toTokenView = (token: TokenRecord, now: number): TokenView => {
  const { id, name, scopes: held, createdAt, createdBy, expiresAt, revokedAt } = token
  const state = revokedAt !== null ? 'revoked' : now >= expiresAt ? 'expired' : 'valid'
  return { id, name, scopes: held, state, createdAt, createdBy, expiresAt }
}
