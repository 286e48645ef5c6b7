import { describe, expect, test } from 'vitest'
import { createPeopleFixture } from './testing/people-fixture.ts'
import { createTestApp } from './testing/call.http.ts'
import type { Access } from './people/roles.ts'

interface Operation {
  readonly 'x-imlma-role'?: Access
  readonly operationId: string
}

const { app, get, control } = createTestApp({}, {}, undefined, createPeopleFixture())
const document = (await (await get('/api/openapi.json')).json()) as {
  paths: Record<string, Record<string, Operation>>
}

const inPath: Readonly<Record<string, string>> = {
  name: 'somebody',
  n: '1',
  sha256: '0'.repeat(64),
  id: '0'.repeat(12),
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    id: operation.operationId,
    role: operation['x-imlma-role'],
    method: method.toUpperCase(),
    path: path.replaceAll(/\{(\w+)\}/g, (_, name: string) => inPath[name] ?? name),
  })),
)
const guarded = [
  ...operations,
  { id: 'metrics', role: 'metrics' as const, method: 'GET', path: '/metrics' },
  { id: 'openapi', role: 'viewer' as const, method: 'GET', path: '/api/openapi.json' },
].filter(({ role }) => role !== 'public')

const ask = (method: string, path: string, scope?: string) =>
  app.request(path, {
    method,
    headers: {
      host: '127.0.0.1:4600',
      // An upload's type for a PUT: what must not matter is that the request is otherwise well formed.
      'content-type': method === 'PUT' ? 'application/octet-stream' : 'application/json',
      ...(scope === undefined ? {} : { authorization: `Bearer ${scope}` }),
    },
    ...(method === 'GET' ? {} : { body: '{}' }),
  })

/** The highest scope that is not enough. */
const tooLow: Readonly<Record<Exclude<Access, 'public' | 'metrics'>, string>> = {
  viewer: 'metrics',
  operator: 'read',
  administrator: 'operate',
}

test('every route names its role, and what is public is this and nothing else', () => {
  expect(operations.length).toBeGreaterThan(30)
  expect(operations.filter(({ role }) => role === undefined)).toEqual([])
  expect(
    operations
      .filter(({ role }) => role === 'public')
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual(['getHealth', 'logIn', 'setUp'])
  const changing = operations.filter(({ method, role }) => method !== 'GET' && role === 'viewer')
  expect(changing.map(({ id }) => id).toSorted()).toEqual(['changePassword', 'logOut'])
})

describe.each(guarded)('$id', ({ role, method, path }) => {
  test('is refused without a login', async () => {
    const response = await ask(method, path)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toContain('Bearer')
    expect(await response.json()).toMatchObject({ code: 'LOGIN_NEEDED' })
  })

  test('is refused to a token that nobody knows', async () => {
    expect((await ask(method, path, 'nobody')).status).toBe(401)
  })

  test('is refused with too low a role', async () => {
    if (role === undefined || role === 'public' || role === 'metrics') return
    const response = await ask(method, path, tooLow[role])
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ code: 'NOT_AUTHORISED' })
  })
})

test('nothing of all this reached the control centre', () => {
  expect(control.asked).toEqual([])
})

test('somebody who is not logged in learns that the control centre answers, and nothing else', async () => {
  expect(await (await ask('GET', '/api/v1/health')).json()).toEqual({ status: 'ok' })
  expect(await (await ask('GET', '/api/v1/health', 'metrics')).json()).toEqual({ status: 'ok' })
  expect(await (await ask('GET', '/api/v1/health', 'read')).json()).toMatchObject({ site: 'demo' })
})

test('answers of the API are kept by nobody', async () => {
  for (const path of ['/api/v1/health', '/api/v1/agents', '/metrics', '/api/openapi.json', '/nothing']) {
    expect((await ask('GET', path, 'read')).headers.get('cache-control')).toBe('no-store')
  }
})

test('a page of ours may use nothing of the browser, and be shown in no other page', async () => {
  const { headers } = await ask('GET', '/')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('x-frame-options')).toBe('DENY')
  expect(headers.get('referrer-policy')).toBe('no-referrer')
  expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
  expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
  expect(headers.get('permissions-policy')).toContain('camera=()')
  expect(headers.get('strict-transport-security')).toBeNull()
  const { app: behindTls } = createTestApp({ secure: true, loopbackOnly: false })
  const secured = await behindTls.request('/', { headers: { host: 'control.example' } })
  expect(secured.headers.get('strict-transport-security')).toMatch(/^max-age=\d{8}/)
})
