/**
 * Who is it, and may they come in? Logins, sessions and tokens put together: what a request proves becomes a principal,
 * and every change of who may do what becomes a fact of the registry.
 *
 * Refusals before a login are the same for names that exist and for those that do not.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { RegistryEvent } from '../../registry/events.ts'
import type { Attempts } from './attempts.ts'
import { createFailureCount } from './failures.ts'
import type { Passwords } from './password.crypto.ts'
import { checkPassword } from './password-rules.ts'
import type { TokenRecord, UserRecord } from './records.ts'
import { scopeOf, type Principal, type Scope, type UserRole } from './roles.ts'
import type { Sessions } from './sessions.ts'
import type { NewToken, Tokens } from './tokens.ts'
import type { Invitation, Users } from './users.ts'

export interface PeopleParts {
  readonly users: Users
  readonly sessions: Sessions
  readonly tokens: Tokens
  readonly attempts: Attempts
  readonly passwords: Passwords
  readonly newSecret: (purpose: 'session' | 'token') => string
  readonly digestOf: (secret: string) => string
  readonly record: (event: RegistryEvent) => Promise<unknown>
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

export interface Login {
  /** The cookie's value. */
  readonly secret: string
  readonly expiresAt: number
  readonly user: Pick<UserRecord, 'name' | 'role'>
}

export interface People {
  readonly login: (name: string, password: string, address: string) => Promise<Result<Login>>
  /** Uses up the invitation. */
  readonly setUp: (secret: string, password: string, address: string) => Promise<Result<{ name: string }>>
  /** Who a cookie's value proves to be. */
  readonly bySession: (secret: string) => Principal | undefined
  /** Who a token proves to be; a wrong one counts against the address. */
  readonly byToken: (secret: string, address: string) => Result<Principal>
  readonly logout: (principal: Principal) => Promise<void>
  /** Ends every session of the user, this one too. */
  readonly changePassword: (
    principal: Principal,
    current: string,
    next: string,
    address: string,
  ) => Promise<Result<{ name: string }>>
  readonly users: () => readonly UserRecord[]
  readonly addUser: (name: string, role: UserRole, by: string) => Promise<Result<Invitation>>
  readonly resetUser: (name: string, by: string) => Promise<Result<Invitation>>
  readonly setRole: (name: string, role: UserRole, by: string) => Promise<Result<UserRecord>>
  readonly setDisabled: (name: string, disabled: boolean, by: string) => Promise<Result<UserRecord>>
  readonly tokens: () => readonly TokenRecord[]
  readonly makeToken: (wish: NewToken) => Promise<Result<{ secret: string; token: TokenRecord }>>
  readonly revokeToken: (id: string, by: string) => Promise<Result<TokenRecord>>
  /** A token of this process alone, for programs that may read its files; it ends with the process. */
  readonly localToken: (scope: Scope) => string
  /**
   * The secret that makes the first administrator, as long as nobody can log in as one; an earlier one is no good any
   * more. Undefined where there is an administrator.
   */
  readonly firstSecret: () => Promise<string | undefined>
  /** When a principal is none any more. Tokens end by expiry only here; a revoked one is refused at its next request. */
  readonly onEnd: (principal: Principal, listener: () => void) => () => void
  /** From time to time, and at the end. */
  readonly sweep: () => Promise<void>
}

const firstAdministrator = 'admin'

const wrong = () =>
  refuse('WRONG_LOGIN', 'name or password is wrong', 'an administrator can give a new one-time secret')

export const createPeople = (parts: PeopleParts): People => {
  const { users, sessions, tokens, attempts, passwords, newSecret, digestOf, record, now } = parts
  const failures = createFailureCount((event) => {
    record(event).catch(parts.onFailure)
  }, now)
  const local = new Map<string, Principal>()

  const told = async (change: UserChange, user: UserRecord, by: string): Promise<void> => {
    await record({ kind: 'user-changed', user: user.name, change, role: user.role, by })
  }

  /** One change of a user at a time: two administrators must not take away each other's role. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }
  const changeUser = (
    work: () => Promise<Result<UserRecord>>,
    change: UserChange,
    by: string,
  ): Promise<Result<UserRecord>> =>
    inTurn(async () => {
      const changed = await work()
      if (!changed.ok) return changed
      await sessions.endAllOf(changed.value.name)
      await told(change, changed.value, by)
      return changed
    })
  const inviteUser = (
    work: () => Promise<Result<Invitation>>,
    change: UserChange,
    by: string,
  ): Promise<Result<Invitation>> =>
    inTurn(async () => {
      const invited = await work()
      if (!invited.ok) return invited
      await sessions.endAllOf(invited.value.user.name)
      await told(change, invited.value.user, by)
      return invited
    })

  const checkLogin = async (name: string, password: string, address: string): Promise<Result<UserRecord>> => {
    const fromHere = attempts.from(address, now())
    if (!fromHere.ok) return fromHere
    const before = users.find(name)
    const begun = attempts.begin(name, before !== undefined, now())
    if (!begun.ok) {
      failures.add(before?.name ?? null, address)
      return begun
    }
    const matches = await passwords.verify(password, before?.disabled === false ? before.password : null)
    if (!matches.ok) return matches
    const user = users.find(name)
    // Whoever was disabled or given another password meanwhile is not let in by the old one.
    if (!matches.value || user === undefined || user !== before) {
      failures.add(before?.name ?? null, address)
      return wrong()
    }
    attempts.succeeded(name)
    attempts.forgive(address, now())
    return accept(user)
  }

  return {
    login: async (name, password, address) => {
      const checked = await checkLogin(name, password, address)
      if (!checked.ok) return checked
      const secret = newSecret('session')
      const { expiresAt } = await sessions.start(digestOf(secret), name)
      await record({ kind: 'login', user: name, address })
      return accept({ secret, expiresAt, user: { name, role: checked.value.role } })
    },
    setUp: async (secret, password, address) => {
      const fromHere = attempts.from(address, now())
      if (!fromHere.ok) return fromHere
      const invited = users.invited(digestOf(secret))
      if (invited === undefined) return unusable()
      const good = checkPassword(password, invited.name)
      if (!good.ok) return good
      const hash = await passwords.hash(password)
      if (!hash.ok) return hash
      const set = await changeUser(
        async () =>
          users.invited(digestOf(secret)) === undefined
            ? unusable()
            : users.setPassword(invited.name, hash.value),
        'password',
        invited.name,
      )
      if (!set.ok) return set
      attempts.succeeded(invited.name)
      attempts.forgive(address, now())
      return accept({ name: invited.name })
    },
    bySession: (secret) => {
      const key = digestOf(secret)
      const session = sessions.find(key)
      const user = session && users.find(session.user)
      if (user === undefined || user.disabled) return undefined
      return { name: user.name, kind: 'user', scopes: [scopeOf[user.role]], key }
    },
    byToken: (secret, address) => {
      const digest = digestOf(secret)
      const here = local.get(digest)
      if (here !== undefined) return accept(here)
      const token = tokens.find(digest)
      if (token !== undefined) {
        return accept({ name: `token:${token.name}`, kind: 'token', scopes: token.scopes, key: digest })
      }
      const fromHere = attempts.from(address, now())
      if (!fromHere.ok) return fromHere
      return refuse(
        'TOKEN_UNKNOWN',
        'this token is unknown, expired or revoked',
        'an administrator makes a new one: imlma tokens new',
      )
    },
    logout: ({ kind, key }) => (kind === 'user' ? sessions.end(key) : Promise.resolve()),
    changePassword: async ({ name, kind }, current, next, address) => {
      if (kind !== 'user') return refuse('NOT_AUTHORISED', 'a token has no password', 'log in as a user')
      const checked = await checkLogin(name, current, address)
      if (!checked.ok) return checked
      const good = checkPassword(next, name)
      if (!good.ok) return good
      const hash = await passwords.hash(next)
      if (!hash.ok) return hash
      const set = await changeUser(() => users.setPassword(name, hash.value), 'password', name)
      return set.ok ? accept({ name }) : set
    },
    users: users.list,
    addUser: (name, role, by) => inviteUser(() => users.add(name, role), 'added', by),
    resetUser: (name, by) => inviteUser(() => users.reset(name), 'reset', by),
    setRole: (name, role, by) => changeUser(() => users.setRole(name, role), 'role', by),
    setDisabled: (name, disabled, by) =>
      changeUser(() => users.setDisabled(name, disabled), disabled ? 'disabled' : 'enabled', by),
    tokens: tokens.list,
    makeToken: async (wish) => {
      const made = await tokens.make(wish)
      if (made.ok) await record(tokenChanged(made.value.token, 'made', wish.by))
      return made
    },
    revokeToken: async (id, by) => {
      const revoked = await tokens.revoke(id)
      if (revoked.ok) await record(tokenChanged(revoked.value, 'revoked', by))
      return revoked
    },
    localToken: (scope) => {
      const secret = newSecret('token')
      const key = digestOf(secret)
      local.set(key, {
        name: `local ${scope === 'administer' ? 'administrator' : 'operator'}`,
        kind: 'token',
        scopes: [scope],
        key,
      })
      return secret
    },
    firstSecret: () =>
      inTurn(async () => {
        if (users.hasAdministrator()) return undefined
        const exists = users.find(firstAdministrator) !== undefined
        if (exists) await users.setRole(firstAdministrator, 'administrator')
        if (exists) await users.setDisabled(firstAdministrator, false)
        const invited = await (exists
          ? users.reset(firstAdministrator)
          : users.add(firstAdministrator, 'administrator'))
        return invited.ok ? invited.value.secret : undefined
      }),
    onEnd: ({ key, kind }, listener) => (kind === 'user' ? sessions.onEnd(key, listener) : () => undefined),
    sweep: async () => {
      failures.flush()
      await sessions.sweep()
    },
  }
}

type UserChange = Extract<RegistryEvent, { kind: 'user-changed' }>['change']

const unusable = () =>
  refuse(
    'SETUP_UNKNOWN',
    'this one-time secret is unknown, used or expired',
    'imlma users reset NAME gives a new one; before the first login, so does a restart',
  )

const tokenChanged = (
  { id, name, scopes, expiresAt }: TokenRecord,
  change: 'made' | 'revoked',
  by: string,
): RegistryEvent => ({ kind: 'token-changed', token: id, name, change, scopes: [...scopes], expiresAt, by })
