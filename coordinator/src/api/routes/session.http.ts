/** Routes of a person's own: logging in and out, the first password, a new one, and who one is. */

import { deleteCookie, setCookie } from 'hono/cookie'
import type { Context } from 'hono'
import { z } from 'zod'
import { accept, refuse } from '@imlma/protocol/result'
import { sessionCookie, type AccessEnv } from '../access.http.ts'
import { passwordLengthMax } from '../people/password-rules.ts'
import type { People } from '../people/people.ts'
import { roleOf } from '../people/roles.ts'
import { declareCommand, declareRead, type Api } from '../route.http.ts'
import { selfViewSchema } from '../views.ts'

/** A wrong name is looked up like any other: its form says nothing about who exists. */
const nameSchema = z.string().min(1).max(64)
const passwordSchema = z.string().min(1).max(passwordLengthMax)
const doneSchema = z.object({ name: z.string() })

export const addSessionRoutes = (api: Api, people: People, secure: boolean): void => {
  const cookieTerms = { path: '/', httpOnly: true, sameSite: 'Strict', secure } as const
  const forget = (c: Context<AccessEnv>) => deleteCookie(c, sessionCookie(c, secure), cookieTerms)

  declareRead(api, '/session', {
    operationId: 'getSession',
    summary: 'Who am I?',
    description: 'The user or token that is asking, and its role.',
    tag: 'people',
    role: 'viewer',
    output: selfViewSchema,
    answer: async ({ principal }) =>
      principal === undefined
        ? refuse('LOGIN_NEEDED', 'nobody is logged in')
        : accept({ name: principal.name, kind: principal.kind, role: roleOf(principal) }),
  })
  declareCommand(api, '/session', {
    operationId: 'logIn',
    summary: 'Log in',
    description:
      'Sets a session cookie. After five wrong passwords a name is locked for a time; names that do not exist are ' +
      'answered alike.',
    tag: 'people',
    role: 'public',
    body: z.object({ name: nameSchema, password: passwordSchema }),
    output: selfViewSchema,
    answer: async ({ body, address, c }) => {
      const login = await people.login(body.name.trim().toLowerCase(), body.password, address)
      if (!login.ok) return login
      const { secret, expiresAt, user } = login.value
      setCookie(c, sessionCookie(c, secure), secret, { ...cookieTerms, expires: new Date(expiresAt) })
      return accept({ ...user, kind: 'user' as const })
    },
  })
  declareCommand(api, '/session/end', {
    operationId: 'logOut',
    summary: 'Log out',
    description: 'Ends this session; open event streams end with it.',
    tag: 'people',
    role: 'viewer',
    body: z.object({}),
    output: doneSchema,
    answer: async ({ by, principal, c }) => {
      if (principal !== undefined) await people.logout(principal)
      forget(c)
      return accept({ name: by })
    },
  })
  declareCommand(api, '/session/password', {
    operationId: 'changePassword',
    summary: 'Choose another password',
    description: 'Ends every session of the user, this one too.',
    tag: 'people',
    role: 'viewer',
    body: z.object({ current: passwordSchema, next: passwordSchema }),
    output: doneSchema,
    answer: async ({ body, principal, address, c }) => {
      if (principal === undefined) return refuse('LOGIN_NEEDED', 'nobody is logged in')
      const changed = await people.changePassword(principal, body.current, body.next, address)
      if (changed.ok) forget(c)
      return changed
    },
  })
  declareCommand(api, '/setup', {
    operationId: 'setUp',
    summary: 'Choose the first password',
    description: 'With the one-time secret of an invitation, which is used up by it.',
    tag: 'people',
    role: 'public',
    body: z.object({ secret: z.string().min(1).max(200), password: passwordSchema }),
    output: doneSchema,
    answer: ({ body, address }) => people.setUp(body.secret, body.password, address),
  })
}
