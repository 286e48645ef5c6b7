import { describe, expect, test } from 'vitest'
import { createTestApp } from './testing/call.http.ts'
import { letIn, openTestPeople, testPassword } from './testing/open-test-people.kysely.ts'

const host = '127.0.0.1:4600'
const fromPage = { origin: `http://${host}`, 'sec-fetch-site': 'same-origin', 'x-imlma-page': '1' }
const hourMs = 3_600_000

const openHouse = async (options: { secure?: boolean } = {}) => {
  const store = await openTestPeople()
  const { people } = store
  await letIn(people, 'admin', 'administrator')
  await letIn(people, 'nguyen', 'operator')
  const { app, control } = createTestApp(options, {}, undefined, people)
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    app.request(`/api/v1/${path}`, {
      method: 'POST',
      headers: { host, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.request(`/api/v1/${path}`, { headers: { host, ...headers } })
  /** The cookie as a browser sends it back. */
  const logIn = async (name: string) => {
    const response = await post('session', { name, password: testPassword }, fromPage)
    expect(response.status).toBe(202)
    return { cookie: (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '' }
  }
  return { ...store, app, control, post, get, logIn }
}
const codeOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { code?: string }).code,
]

describe('the cookie', () => {
  test('is out of reach of scripts, of other sites and of other paths', async () => {
    const { post } = await openHouse()
    const response = await post('session', { name: ' Nguyen ', password: testPassword })
    expect(await response.json()).toEqual({ name: 'nguyen', role: 'operator', kind: 'user' })
    const cookie = response.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(/^imlma-4600=imlma_session_[\w-]{43}; /)
    expect(cookie).toMatch(/; Path=\/; /)
    expect(cookie).toContain('HttpOnly')
    expect(cookie).toContain('SameSite=Strict')
    expect(cookie).not.toContain('Secure')
    expect(cookie).not.toContain('Domain')
  })

  test('travels over TLS only, where there is TLS', async () => {
    const { post } = await openHouse({ secure: true })
    const cookie = (await post('session', { name: 'nguyen', password: testPassword })).headers.get(
      'set-cookie',
    )
    expect(cookie).toMatch(/^__Host-imlma-4600=.*; Path=\/; .*HttpOnly; Secure; SameSite=Strict/)
  })

  test('opens what the role may, until somebody logs out', async () => {
    const { get, post, logIn } = await openHouse()
    const cookie = await logIn('nguyen')
    expect(await (await get('session', cookie)).json()).toEqual({
      name: 'nguyen',
      kind: 'user',
      role: 'operator',
    })
    expect((await get('agents', cookie)).status).toBe(200)
    expect(await codeOf(await get('users', cookie))).toEqual([403, 'NOT_AUTHORISED'])
    const out = await post('session/end', {}, { ...fromPage, ...cookie })
    expect(out.headers.get('set-cookie')).toMatch(/^imlma-4600=;.*Max-Age=0/)
    expect(await codeOf(await get('agents', cookie))).toEqual([401, 'LOGIN_NEEDED'])
  })

  test('of another control centre on this machine is not ours', async () => {
    const { get, logIn } = await openHouse()
    const { cookie } = await logIn('nguyen')
    const foreign = { cookie: cookie.replace('imlma-4600', 'imlma-4700') }
    expect((await get('agents', foreign)).status).toBe(401)
    expect((await get('agents', { cookie: `${foreign.cookie}; ${cookie}` })).status).toBe(200)
  })

  test('does not make good a token that is wrong', async () => {
    const { get, logIn } = await openHouse()
    const cookie = await logIn('nguyen')
    expect(await codeOf(await get('agents', { ...cookie, authorization: 'Bearer wrong' }))).toEqual([
      401,
      'TOKEN_UNKNOWN',
    ])
    expect(await codeOf(await get('agents', { ...cookie, authorization: 'Basic eDp5' }))).toEqual([
      401,
      'TOKEN_UNKNOWN',
    ])
  })
})

describe('a change by cookie', () => {
  const path = 'models/load-day-ahead/retrain'

  test('is taken from the page', async () => {
    const { post, logIn, control } = await openHouse()
    const response = await post(path, { reason: 'new feeder' }, { ...fromPage, ...(await logIn('nguyen')) })
    expect(response.status).toBe(202)
    expect(control.asked).toEqual(['retrain load-day-ahead: new feeder (nguyen)'])
  })

  test.each([
    ['without the header that no form can send', { ...fromPage, 'x-imlma-page': undefined }, 'NOT_THE_PAGE'],
    ['from a page of another site', { ...fromPage, origin: 'https://evil.example' }, 'FOREIGN_ORIGIN'],
    ['from another port', { ...fromPage, origin: 'http://127.0.0.1:9999' }, 'FOREIGN_ORIGIN'],
    ['from a frame without an origin', { ...fromPage, origin: 'null' }, 'FOREIGN_ORIGIN'],
    [
      'that says itself that it is foreign',
      { ...fromPage, 'sec-fetch-site': 'cross-site' },
      'FOREIGN_ORIGIN',
    ],
    ['as a form', { ...fromPage, 'content-type': 'application/x-www-form-urlencoded' }, 'NOT_JSON'],
  ])('is refused %s', async (_, headers, code) => {
    const { post, logIn, control } = await openHouse()
    const sent = Object.fromEntries(
      Object.entries({ ...headers, ...(await logIn('nguyen')) }).filter(([, value]) => value !== undefined),
    ) as Record<string, string>
    expect((await codeOf(await post(path, { reason: 'x' }, sent)))[1]).toBe(code)
    expect(control.asked).toEqual([])
  })

  test('not even a login is taken from a page of another site', async () => {
    const { post } = await openHouse()
    const response = await post(
      'session',
      { name: 'nguyen', password: testPassword },
      { origin: 'https://evil.example' },
    )
    expect(await codeOf(response)).toEqual([403, 'FOREIGN_ORIGIN'])
    expect(response.headers.get('set-cookie')).toBeNull()
  })
})

describe('who watches', () => {
  test('sees the stream end when the session ends', async () => {
    const { get, post, logIn, control, people } = await openHouse()
    const cookie = await logIn('nguyen')
    const streams = await Promise.all([get('events', cookie), get('events', cookie)])
    await expect.poll(() => control.watchers()).toBe(2)
    await post('session/end', {}, { ...fromPage, ...cookie })
    await Promise.all(streams.map((stream) => stream.text()))
    expect(control.watchers()).toBe(0)
    const again = await get('events', await logIn('nguyen'))
    await expect.poll(() => control.watchers()).toBe(1)
    await people.setRole('nguyen', 'viewer', 'admin')
    await again.text()
    expect(control.watchers()).toBe(0)
  })

  test('sees it end when the shift is over', async () => {
    const { get, logIn, control, people, pass } = await openHouse()
    const stream = await get('events', await logIn('nguyen'))
    await expect.poll(() => control.watchers()).toBe(1)
    pass(12 * hourMs)
    await people.sweep()
    await stream.text()
    expect(control.watchers()).toBe(0)
  })
})

describe('an administrator', () => {
  test('lets somebody in, who chooses a password with the link, once', async () => {
    const { post, get, logIn } = await openHouse()
    const admin = { ...fromPage, ...(await logIn('admin')) }
    const { secret } = (await (await post('users', { name: 'tran', role: 'viewer' }, admin)).json()) as {
      secret: string
    }
    expect(await codeOf(await post('users', { name: 'tran', role: 'viewer' }, admin))).toEqual([
      409,
      'USER_EXISTS',
    ])
    expect(await codeOf(await post('setup', { secret, password: 'short' }))).toEqual([422, 'WEAK_PASSWORD'])
    expect((await post('setup', { secret, password: testPassword })).status).toBe(202)
    expect(await codeOf(await post('setup', { secret, password: testPassword }))).toEqual([
      422,
      'SETUP_UNKNOWN',
    ])
    expect((await get('agents', await logIn('tran'))).status).toBe(200)
  })

  test('is never told a password, a hash or a token that was made before', async () => {
    const { post, get, logIn } = await openHouse()
    const admin = { ...fromPage, ...(await logIn('admin')) }
    const made = (await (await post('tokens', { name: 'collector', scopes: ['metrics'] }, admin)).json()) as {
      secret: string
      token: { id: string }
    }
    const seen = `${await (await get('users', admin)).text()}${await (await get('tokens', admin)).text()}`
    expect(seen).toContain('collector')
    for (const secret of ['argon2', 'digest', 'password', made.secret]) expect(seen).not.toContain(secret)
    const metrics = () => get('../../metrics', { authorization: `Bearer ${made.secret}` })
    expect((await metrics()).status).toBe(200)
    expect((await get('agents', { authorization: `Bearer ${made.secret}` })).status).toBe(403)
    await post(`tokens/${made.token.id}/revoke`, {}, admin)
    expect((await metrics()).status).toBe(401)
  })
})
