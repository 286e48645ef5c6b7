/** People for tests of what they may see: tokens named after their scope, and no logins. */

import { accept, refuse } from '@imlma/protocol/result'
import type { People } from '../people/people.ts'
import { scopes } from '../people/roles.ts'

const nobody = () => {
  throw new Error('this test has no people')
}

/** `Bearer administer` may administer, `Bearer read` may read. */
export const createPeopleFixture = (): People => ({
  bySession: () => undefined,
  byToken: (secret) => {
    const scope = scopes.find((each) => each === secret)
    if (scope === undefined) return refuse('TOKEN_UNKNOWN', 'this token is unknown, expired or revoked')
    const name = scope === 'operate' ? 'local operator' : `token:${scope}`
    return accept({ name, kind: 'token', scopes: [scope], key: scope })
  },
  onEnd: () => () => undefined,
  login: nobody,
  setUp: nobody,
  logout: nobody,
  changePassword: nobody,
  users: () => [],
  addUser: nobody,
  resetUser: nobody,
  setRole: nobody,
  setDisabled: nobody,
  tokens: () => [],
  makeToken: nobody,
  revokeToken: nobody,
  localToken: nobody,
  firstSecret: nobody,
  sweep: nobody,
})
