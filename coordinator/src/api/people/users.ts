/**
 * The people of the control centre: who they are, what they may do, and how they come to a password. Nobody chooses
 * another one's password: a new user, or one who has forgotten it, is given a one-time secret and chooses it alone.
 * There is always an administrator who can log in.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { StateStore } from '../../storage/states.ts'
import { userRecordSchema, type UserRecord } from './records.ts'
import type { UserRole } from './roles.ts'

export interface UserParts {
  readonly states: Pick<StateStore, 'loadAll' | 'save'>
  readonly now: () => number
  readonly newSecret: () => string
  readonly digestOf: (secret: string) => string
}

export type UserRefusal = 'UNKNOWN_USER' | 'USER_EXISTS' | 'TOO_MANY_USERS' | 'LAST_ADMINISTRATOR'

export interface Users {
  readonly find: (name: string) => UserRecord | undefined
  /** By name. */
  readonly list: () => readonly UserRecord[]
  readonly hasAdministrator: () => boolean
  readonly add: (name: string, role: UserRole) => Promise<Result<Invitation, UserRefusal>>
  /** A new secret; the old password is no good any more, unless nobody else could let anybody in. */
  readonly reset: (name: string) => Promise<Result<Invitation, UserRefusal>>
  readonly setRole: (name: string, role: UserRole) => Promise<Result<UserRecord, UserRefusal>>
  readonly setDisabled: (name: string, disabled: boolean) => Promise<Result<UserRecord, UserRefusal>>
  /** The user whom the secret invites, while it is good. */
  readonly invited: (digest: string) => UserRecord | undefined
  /** Takes the invitation, where there is one, with it. Durable on return. */
  readonly setPassword: (name: string, hash: string) => Promise<Result<UserRecord, UserRefusal>>
}

export interface Invitation {
  readonly user: UserRecord
  readonly secret: string
  readonly expiresAt: number
}

const room = 'users'
const usersMax = 1_000
/** Long enough for a weekend. */
const invitationMs = 259_200_000

export const createUsers = async ({ states, now, newSecret, digestOf }: UserParts): Promise<Users> => {
  const users = new Map(await states.loadAll(room, userRecordSchema))
  const keep = async (user: UserRecord): Promise<Result<UserRecord, UserRefusal>> => {
    await states.save(room, user.name, user, now())
    users.set(user.name, user)
    return accept(user)
  }
  const canAdminister = ({ role, password, disabled }: UserRecord): boolean =>
    role === 'administrator' && password !== null && !disabled

  /** Refused where nobody would be left who can let anybody in. */
  const change = async (
    name: string,
    toNext: (user: UserRecord) => Partial<UserRecord>,
  ): Promise<Result<UserRecord, UserRefusal>> => {
    const user = users.get(name)
    if (user === undefined) return refuse('UNKNOWN_USER', `there is no user ${name}`, 'imlma users list')
    const next = { ...user, changedAt: now(), ...toNext(user) }
    const others = [...users.values()].filter((other) => other.name !== name)
    if (canAdminister(user) && !canAdminister(next) && !others.some(canAdminister)) {
      return refuse(
        'LAST_ADMINISTRATOR',
        `${name} is the only administrator who can log in`,
        'make another user an administrator first',
      )
    }
    return keep(next)
  }
  const invite = async (user: UserRecord): Promise<Invitation> => {
    const secret = newSecret()
    const expiresAt = now() + invitationMs
    const invited = { ...user, invitation: { digest: digestOf(secret), expiresAt } }
    await keep(invited)
    return { user: invited, secret, expiresAt }
  }

  return {
    find: (name) => users.get(name),
    list: () => [...users.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    hasAdministrator: () => [...users.values()].some(canAdminister),
    add: async (name, role) => {
      if (users.has(name)) return refuse('USER_EXISTS', `there is a user ${name} already`)
      if (users.size >= usersMax) return refuse('TOO_MANY_USERS', `there are ${usersMax} users already`)
      const at = now()
      const user = {
        name,
        role,
        password: null,
        disabled: false,
        invitation: null,
        createdAt: at,
        changedAt: at,
      }
      return accept(await invite(user))
    },
    reset: async (name) => {
      const changed = await change(name, () => ({ password: null }))
      if (changed.ok) return accept(await invite(changed.value))
      const user = users.get(name)
      return user === undefined ? changed : accept(await invite({ ...user, changedAt: now() }))
    },
    setRole: (name, role) => change(name, () => ({ role })),
    setDisabled: (name, disabled) => change(name, () => ({ disabled })),
    invited: (digest) =>
      [...users.values()].find(
        ({ invitation, disabled }) =>
          !disabled && invitation !== null && invitation.digest === digest && now() < invitation.expiresAt,
      ),
    setPassword: (name, password) => change(name, () => ({ password, invitation: null })),
  }
}
