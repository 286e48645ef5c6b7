/** People put together from a store, with real hashes and real randomness. */

import type { RegistryEvent } from '../../registry/events.ts'
import type { StateStore } from '../../storage/states.ts'
import { createAttempts, type AttemptOptions } from './attempts.ts'
import { createPasswords, type PasswordOptions } from './password.crypto.ts'
import { createPeople, type People } from './people.ts'
import { digestOf, newSecret } from './secrets.crypto.ts'
import { createSessions, type SessionOptions } from './sessions.ts'
import { createTokens } from './tokens.ts'
import { createUsers } from './users.ts'

export interface OpenPeopleParts {
  readonly states: StateStore
  readonly record: (event: RegistryEvent) => Promise<unknown>
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

export interface PeopleOptions {
  readonly sessions?: SessionOptions
  readonly attempts?: AttemptOptions
  readonly passwords?: PasswordOptions
}

export const openPeople = async (parts: OpenPeopleParts, options: PeopleOptions = {}): Promise<People> => {
  const { states, now, onFailure, record } = parts
  const [users, sessions, tokens] = await Promise.all([
    createUsers({ states, now, newSecret: () => newSecret('setup'), digestOf }),
    createSessions({ states, now, onFailure }, options.sessions),
    createTokens({ states, now, newSecret: () => newSecret('token'), digestOf }),
  ])
  const attempts = createAttempts(options.attempts)
  const passwords = createPasswords(options.passwords)
  return createPeople({
    users,
    sessions,
    tokens,
    attempts,
    passwords,
    newSecret,
    digestOf,
    record,
    now,
    onFailure,
  })
}
