import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { letIn, openTestPeople, testPassword } from '../testing/open-test-people.kysely.ts'
import { createAttempts } from './attempts.ts'
import { createPasswords } from './password.crypto.ts'
import type { People } from './people.ts'
import { mayAccess, scopes, userRoles } from './roles.ts'

const hourMs = 3_600_000
const here = '192.0.2.1'

const code = (result: { ok: boolean; refusal?: { code: string } }): string =>
  result.ok ? 'ok' : (result.refusal?.code ?? '')
const logIn = async (people: People, name: string, password = testPassword) => {
  const login = await people.login(name, password, here)
  if (!login.ok) throw new Error(login.refusal.message)
  return login.value.secret
}

describe('roles', () => {
  test('each includes the ones below it, and nothing above', () => {
    const opens = (scope: (typeof scopes)[number]) =>
      (['public', 'metrics', ...userRoles] as const).filter((access) =>
        mayAccess({ scopes: [scope] }, access),
      )
    expect(scopes.map(opens)).toEqual([
      ['public', 'metrics'],
      ['public', 'metrics', 'viewer'],
      ['public', 'metrics', 'viewer', 'operator'],
      ['public', 'metrics', 'viewer', 'operator', 'administrator'],
    ])
    expect(mayAccess(undefined, 'metrics')).toBe(false)
    expect(mayAccess({ scopes: [] }, 'metrics')).toBe(false)
  })
})

describe('the first administrator', () => {
  test('is made with a secret that is good for one use and for nobody afterwards', async () => {
    const { people, events, reopen } = await openTestPeople()
    const secret = (await people.firstSecret()) ?? ''
    expect(secret).toMatch(/^imlma_setup_[\w-]{43}$/)
    expect(code(await people.setUp('imlma_setup_guess', testPassword, here))).toBe('SETUP_UNKNOWN')
    expect(await people.setUp(secret, testPassword, here)).toMatchObject({
      ok: true,
      value: { name: 'admin' },
    })
    expect(code(await people.setUp(secret, 'another password', here))).toBe('SETUP_UNKNOWN')
    expect(await people.firstSecret()).toBeUndefined()
    const restarted = await reopen()
    expect(await restarted.firstSecret()).toBeUndefined()
    expect(code(await restarted.setUp(secret, 'another password', here))).toBe('SETUP_UNKNOWN')
    expect(await logIn(restarted, 'admin')).toMatch(/^imlma_session_/)
    expect(events.filter(({ kind }) => kind === 'user-changed')).toHaveLength(1)
  })

  test('gets a new secret at a restart as long as nobody can log in; the old one is no good then', async () => {
    const { people, reopen } = await openTestPeople()
    const lost = (await people.firstSecret()) ?? ''
    const restarted = await reopen()
    const found = (await restarted.firstSecret()) ?? ''
    expect(found).not.toBe(lost)
    expect(code(await restarted.setUp(lost, testPassword, here))).toBe('SETUP_UNKNOWN')
    expect(code(await restarted.setUp(found, testPassword, here))).toBe('ok')
  })

  test('cannot use the secret at the same moment twice', async () => {
    const { people } = await openTestPeople()
    const secret = (await people.firstSecret()) ?? ''
    const both = await Promise.all(
      ['one password here', 'and another one'].map((each) => people.setUp(secret, each, here)),
    )
    expect(both.map(code).toSorted()).toEqual(['SETUP_UNKNOWN', 'ok'])
  })
})

describe('a login', () => {
  test('ends after an hour without a request, and after twelve hours in any case', async () => {
    const { people, pass } = await openTestPeople()
    await letIn(people, 'nguyen', 'operator')
    const idle = await logIn(people, 'nguyen')
    pass(hourMs - 1)
    expect(people.bySession(idle)).toMatchObject({ name: 'nguyen', scopes: ['operate'] })
    pass(hourMs)
    expect(people.bySession(idle)).toBeUndefined()
    const busy = await logIn(people, 'nguyen')
    for (let hours = 0.5; hours < 12; hours += 0.5) {
      pass(hourMs / 2)
      expect(people.bySession(busy)).toBeDefined()
    }
    pass(hourMs / 2)
    expect(people.bySession(busy)).toBeUndefined()
  })

  test('outlives a restart, and nothing of its secret is kept', async () => {
    const { people, reopen, states } = await openTestPeople()
    await letIn(people, 'nguyen', 'viewer')
    const secret = await logIn(people, 'nguyen')
    expect((await reopen()).bySession(secret)).toMatchObject({ name: 'nguyen' })
    const { z } = await import('zod')
    const kept = await Promise.all(
      ['users', 'sessions', 'tokens'].map((room) => states.loadAll(room, z.unknown())),
    )
    const text = JSON.stringify(kept.map((each) => [...each]))
    expect(text).toContain('$argon2id$v=19$')
    expect(text).not.toContain(secret)
    expect(text).not.toContain(testPassword)
  })

  test.each([
    [
      'the password is changed',
      (people: People, secret: string) =>
        people.changePassword(people.bySession(secret) as never, testPassword, 'a new long password', here),
    ],
    ['the role is changed', (people: People) => people.setRole('nguyen', 'viewer', 'admin')],
    ['the user is locked out', (people: People) => people.setDisabled('nguyen', true, 'admin')],
    ['a new one-time secret is given', (people: People) => people.resetUser('nguyen', 'admin')],
    [
      'somebody logs out',
      (people: People, secret: string) => people.logout(people.bySession(secret) as never),
    ],
  ])('is over at once, also for who watches, when %s', async (_, change) => {
    const { people } = await openTestPeople()
    await letIn(people, 'nguyen', 'operator')
    const secret = await logIn(people, 'nguyen')
    let told = 0
    people.onEnd(people.bySession(secret) as never, () => (told += 1))
    await change(people, secret)
    expect([people.bySession(secret), told]).toEqual([undefined, 1])
  })

  test('of somebody who is locked out is refused, and good again when let in', async () => {
    const { people } = await openTestPeople()
    await letIn(people, 'nguyen', 'operator')
    await people.setDisabled('nguyen', true, 'admin')
    expect(code(await people.login('nguyen', testPassword, here))).toBe('WRONG_LOGIN')
    await people.setDisabled('nguyen', false, 'admin')
    expect(code(await people.login('nguyen', testPassword, here))).toBe('ok')
  })

  test('that is under way while the user is locked out, or chooses another password, leads nowhere', async () => {
    // As slow as in the field, so that the change comes first.
    const { people } = await openTestPeople({ passwords: {} })
    await letIn(people, 'nguyen', 'operator')
    const underWay = people.login('nguyen', testPassword, here)
    await people.setDisabled('nguyen', true, 'admin')
    await people.setDisabled('nguyen', false, 'admin')
    expect(code(await underWay)).toBe('WRONG_LOGIN')
  })

  test('makes room by ending the oldest session when one user has twenty', async () => {
    const { people, pass } = await openTestPeople()
    await letIn(people, 'nguyen', 'viewer')
    const secrets: string[] = []
    for (let each = 0; each < 21; each += 1) {
      pass(1)
      secrets.push(await logIn(people, 'nguyen'))
    }
    expect(secrets.map((secret) => people.bySession(secret) !== undefined)).toEqual([
      false,
      ...Array.from({ length: 20 }, () => true),
    ])
  })
})

describe('guessing', () => {
  const guess = async (people: People, name: string, times: number) => {
    const codes: string[] = []
    for (let each = 0; each < times; each += 1) {
      // From everywhere: the bound of one address is another test.
      codes.push(code(await people.login(name, 'wrong password', `192.0.2.${each}`)))
    }
    return codes
  }

  test('locks a name after five failures, twice as long each time, and says the same of names that nobody has', async () => {
    const { people, pass } = await openTestPeople()
    await letIn(people, 'nguyen', 'operator')
    const known = await guess(people, 'nguyen', 8)
    expect(known).toEqual([...Array.from({ length: 5 }, () => 'WRONG_LOGIN'), 'LOCKED', 'LOCKED', 'LOCKED'])
    expect(await guess(people, 'nobody', 8)).toEqual(known)
    expect(code(await people.login('nguyen', testPassword, here))).toBe('LOCKED')
    pass(30_000)
    expect(await guess(people, 'nguyen', 2)).toEqual(['WRONG_LOGIN', 'LOCKED'])
    pass(59_999)
    expect(code(await people.login('nguyen', testPassword, here))).toBe('LOCKED')
    pass(1)
    expect(code(await people.login('nguyen', testPassword, here))).toBe('ok')
    expect(await guess(people, 'nguyen', 2)).toEqual(['WRONG_LOGIN', 'WRONG_LOGIN'])
  })

  test('a hundred guesses at the same moment are a hundred guesses', async () => {
    const { people } = await openTestPeople({ passwords: { memoryKib: 64, waitingMax: 1_000 } })
    await letIn(people, 'nguyen', 'operator')
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, each) => people.login('nguyen', `guess ${each}`, `192.0.2.${each}`)),
    )
    expect(all.map(code).filter((each) => each !== 'LOCKED')).toHaveLength(5)
  })

  test('an address has so many attempts, whatever the names; what succeeds is not counted', async () => {
    const { people, pass } = await openTestPeople()
    await letIn(people, 'nguyen', 'operator')
    for (let each = 0; each < 50; each += 1)
      expect(code(await people.login('nguyen', testPassword, here))).toBe('ok')
    const codes: string[] = []
    for (let each = 0; each < 22; each += 1) codes.push(code(await people.login(`name-${each}`, 'x', here)))
    expect(codes.slice(0, 20)).not.toContain('TOO_MANY_ATTEMPTS')
    expect(codes.slice(20)).toEqual(['TOO_MANY_ATTEMPTS', 'TOO_MANY_ATTEMPTS'])
    pass(6_000)
    expect(code(await people.login('nguyen', testPassword, here))).toBe('ok')
    expect(code(await people.login('nguyen', testPassword, '192.0.2.2'))).toBe('ok')
  })

  test('tokens and one-time secrets can be tried no more often than passwords', async () => {
    const { people } = await openTestPeople()
    const codes: string[] = []
    for (let each = 0; each < 21; each += 1) codes.push(code(people.byToken(`guess-${each}`, here)))
    expect([codes[19], codes[20]]).toEqual(['TOKEN_UNKNOWN', 'TOO_MANY_ATTEMPTS'])
    expect(code(await people.setUp('guess', testPassword, here))).toBe('TOO_MANY_ATTEMPTS')
  })

  test('made-up names push nobody out of the table, and the table stays small', () => {
    const attempts = createAttempts({ entriesMax: 100 })
    for (let each = 0; each < 6; each += 1) attempts.begin('nguyen', true, 0)
    for (let each = 0; each < 10_000; each += 1) attempts.begin(`made-up-${each}`, false, 0)
    expect(code(attempts.begin('nguyen', true, 1))).toBe('LOCKED')
  })

  test('failed logins are facts, the first at once and the others counted; a name that nobody has is not written down', async () => {
    const { people, events, pass } = await openTestPeople()
    await letIn(people, 'nguyen', 'operator')
    events.splice(0)
    await guess(people, 'my secret password', 4)
    expect(events).toEqual([{ kind: 'login-failed', user: null, address: '192.0.2.0', failures: 1 }])
    pass(60_000)
    await people.login('nguyen', 'wrong', here)
    expect(events[1]).toEqual({ kind: 'login-failed', user: 'nguyen', address: here, failures: 4 })
  })
})

describe('users', () => {
  test('the only administrator who can log in is neither demoted, locked out nor shut out by a reset', async () => {
    const { people } = await openTestPeople()
    await people.setUp((await people.firstSecret()) ?? '', testPassword, here)
    await people.addUser('invited', 'administrator', 'admin')
    expect(code(await people.setRole('admin', 'viewer', 'admin'))).toBe('LAST_ADMINISTRATOR')
    expect(code(await people.setDisabled('admin', true, 'admin'))).toBe('LAST_ADMINISTRATOR')
    expect(code(await people.resetUser('admin', 'admin'))).toBe('ok')
    expect(code(await people.login('admin', testPassword, here))).toBe('ok')
    await letIn(people, 'second', 'administrator')
    const both = await Promise.all([
      people.setRole('admin', 'viewer', 'second'),
      people.setRole('second', 'viewer', 'admin'),
    ])
    expect(both.map(code)).toEqual(['ok', 'LAST_ADMINISTRATOR'])
  })

  test('a reset makes the old password useless, and its secret chooses the new one', async () => {
    const { people } = await openTestPeople()
    await letIn(people, 'admin', 'administrator')
    await letIn(people, 'nguyen', 'viewer')
    const reset = await people.resetUser('nguyen', 'admin')
    expect(code(await people.login('nguyen', testPassword, here))).toBe('WRONG_LOGIN')
    expect(code(await people.setUp(reset.ok ? reset.value.secret : '', 'quite another one', here))).toBe('ok')
    expect(code(await people.login('nguyen', 'quite another one', here))).toBe('ok')
  })

  test('a one-time secret is good for three days', async () => {
    const { people, pass } = await openTestPeople()
    const invited = await people.addUser('nguyen', 'viewer', 'admin')
    pass(72 * hourMs)
    expect(code(await people.setUp(invited.ok ? invited.value.secret : '', testPassword, here))).toBe(
      'SETUP_UNKNOWN',
    )
  })

  test.each(['short', 'aaaaaaaaaaaaaaaa', 'abcabcabcabcabc', 'nguyen-nguyen1'])(
    '%s is no password',
    async (password) => {
      const { people } = await openTestPeople()
      const invited = await people.addUser('nguyen', 'viewer', 'admin')
      const secret = invited.ok ? invited.value.secret : ''
      expect(code(await people.setUp(secret, password, here))).toBe('WEAK_PASSWORD')
      expect(code(await people.setUp(secret, testPassword, here))).toBe('ok')
    },
  )
})

describe('tokens', () => {
  test('are good for their scopes until they expire or are revoked, also after a restart', async () => {
    const { people, pass, reopen, events } = await openTestPeople()
    const make = async (name: string, validityMs: number) => {
      const made = await people.makeToken({ name, scopes: ['metrics'], validityMs, by: 'admin' })
      if (!made.ok) throw new Error(made.refusal.message)
      return made.value
    }
    const [short, long] = [await make('collector', hourMs), await make('pipeline', 100 * hourMs)]
    expect(people.byToken(short.secret, here)).toMatchObject({
      value: { name: 'token:collector', scopes: ['metrics'] },
    })
    pass(hourMs)
    expect(code(people.byToken(short.secret, here))).toBe('TOKEN_UNKNOWN')
    expect(code((await reopen()).byToken(long.secret, here))).toBe('ok')
    await people.revokeToken(long.token.id, 'admin')
    expect(code(people.byToken(long.secret, here))).toBe('TOKEN_UNKNOWN')
    expect(code((await reopen()).byToken(long.secret, here))).toBe('TOKEN_UNKNOWN')
    expect(events.map((event) => event.kind === 'token-changed' && event.change)).toEqual([
      'made',
      'made',
      'revoked',
    ])
    expect(JSON.stringify(events)).not.toContain(long.secret)
  })

  test('of this machine end with the process', async () => {
    const { people, reopen } = await openTestPeople()
    const secret = people.localToken('operate')
    expect(people.byToken(secret, here)).toMatchObject({
      value: { name: 'local operator', scopes: ['operate'] },
    })
    expect(code((await reopen()).byToken(secret, here))).toBe('TOKEN_UNKNOWN')
  })
})

describe('passwords', () => {
  const cheap = { memoryKib: 64, passes: 2 }

  test('are recognised whatever they are made of, and nothing else is', async () => {
    const passwords = createPasswords(cheap)
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (password, other) => {
        const hash = await passwords.hash(password)
        const stored = hash.ok ? hash.value : ''
        const same = password.normalize('NFKC') === other.normalize('NFKC')
        expect(await passwords.verify(password, stored)).toEqual({ ok: true, value: true })
        expect(await passwords.verify(other, stored)).toEqual({ ok: true, value: same })
      }),
      { numRuns: 50, seed: 4 },
    )
  })

  test('cost as much without a user as with one, and a damaged hash opens nothing', async () => {
    const passwords = createPasswords(cheap)
    const damaged = [
      '',
      'x',
      '$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAA',
      `$argon2id$v=19$m=9999999,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    ]
    for (const stored of [null, ...damaged]) {
      expect(await passwords.verify('x', stored)).toEqual({ ok: true, value: false })
    }
  })

  test('are worked out a few at a time, and who comes when the queue is full is sent away', async () => {
    const passwords = createPasswords({ ...cheap, concurrentMax: 2, waitingMax: 3 })
    const all = await Promise.all(Array.from({ length: 10 }, () => passwords.verify('x', null)))
    expect(all.map(({ ok }) => ok)).toEqual([
      ...Array.from({ length: 5 }, () => true),
      ...Array.from({ length: 5 }, () => false),
    ])
    expect((await passwords.verify('x', null)).ok).toBe(true)
  })
})
