import { sha256 } from '@imlma/protocol/node'
import { refuse } from '@imlma/protocol/result'
import { describe, expect, test } from 'vitest'
import { createControlFixture } from './testing/control-fixture.ts'
import { createTestApp, fixtureNow } from './testing/call.http.ts'
import { storyModel } from './testing/chapters.ts'

const content = new TextEncoder().encode('the bytes of a model')
const digest = sha256(content)
const request = { artifact: digest, contract: { author: 'load research' }, note: ' a trial ' }

const put = (
  app: ReturnType<typeof createTestApp>['app'],
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  path = `/api/v1/uploads/${digest}`,
) =>
  app.request(path, {
    method: 'PUT',
    headers: {
      host: '127.0.0.1:4600',
      authorization: 'Bearer operate',
      'content-type': 'application/octet-stream',
      ...headers,
    },
    body,
  })
const problemOf = async (response: Response) => {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const { code, status } = (await response.json()) as { code: string; status: number }
  expect(status).toBe(response.status)
  return [status, code]
}

describe('a file', () => {
  test('is received as it is, also when it is larger than any other body may be', async () => {
    const { app, control } = createTestApp()
    const response = await put(app, content)
    expect([response.status, await response.json()]).toEqual([201, { sha256: digest, bytes: content.length }])
    const large = new Uint8Array(2_000_000)
    expect((await put(app, large)).status).toBe(201)
    expect(control.asked).toEqual([
      `upload ${digest.slice(0, 8)}: ${content.length} bytes`,
      `upload ${digest.slice(0, 8)}: 2000000 bytes`,
    ])
  })

  test('must be sent as what it is: of a type that no foreign page can send unasked', async () => {
    const { app, control } = createTestApp()
    for (const type of ['application/json', 'multipart/form-data', 'text/plain']) {
      expect(await problemOf(await put(app, content, { 'content-type': type }))).toEqual([
        415,
        type === 'application/json' ? 'NOT_OCTETS' : 'NOT_JSON',
      ])
    }
    expect(await problemOf(await put(app, content, { origin: 'http://elsewhere.example' }))).toEqual([
      403,
      'FOREIGN_ORIGIN',
    ])
    expect(control.asked).toEqual([])
  })

  test('may be no body of another request', async () => {
    const { app } = createTestApp()
    const path = `/api/v1/models/${storyModel}/versions`
    const response = await app.request(path, {
      method: 'POST',
      headers: {
        host: '127.0.0.1:4600',
        authorization: 'Bearer operate',
        'content-type': 'application/octet-stream',
      },
      body: content,
    })
    expect(await problemOf(response)).toEqual([415, 'NOT_JSON'])
  })

  test('that is announced as too large is not read', async () => {
    const { app, control } = createTestApp()
    expect(await problemOf(await put(app, content, { 'content-length': '268435457' }))).toEqual([
      413,
      'TOO_LARGE',
    ])
    expect(control.asked).toEqual([])
  })

  test('is refused with what was wrong with it', async () => {
    const { app } = createTestApp()
    expect(await problemOf(await put(app, new Uint8Array()))).toEqual([400, 'HASH_MISMATCH'])
    expect(await problemOf(await put(app, content, {}, '/api/v1/uploads/no-digest'))).toEqual([
      400,
      'MALFORMED',
    ])
    const control = createControlFixture({ now: fixtureNow })
    const busy = createTestApp({}, {}, { ...control, upload: async () => refuse('BUSY', 'two are received') })
    expect(await problemOf(await put(busy.app, content))).toEqual([409, 'BUSY'])
    const cut = createTestApp({}, {}, { ...control, upload: async () => refuse('TRUNCATED', 'it broke off') })
    expect(await problemOf(await put(cut.app, content))).toEqual([400, 'TRUNCATED'])
  })
})

describe('a registration', () => {
  const path = `/api/v1/models/${storyModel}/versions`

  test('is handed on with who asked for it, and answered with its run', async () => {
    const { post, get, control } = createTestApp()
    const response = await post(path, request)
    expect([response.status, await response.json()]).toEqual([202, { run: 'run-8', waitsFor: 0 }])
    expect(control.asked).toEqual([
      `register ${digest.slice(0, 8)} for ${storyModel}: a trial (local operator)`,
    ])
    expect(await (await get(`/api/v1/models/${storyModel}/registrations`)).json()).toEqual([])
  })

  test.each([
    ['without a file', { contract: {} }],
    ['of a file without a hash', { ...request, artifact: '../model.onnx' }],
    ['without a contract', { artifact: digest }],
    ['with a contract that is a list', { ...request, contract: [] }],
    ['with a note without end', { ...request, note: 'x'.repeat(501) }],
  ])('%s is malformed', async (_, body) => {
    const { post, control } = createTestApp()
    expect(await problemOf(await post(path, body))).toEqual([400, 'MALFORMED'])
    expect(control.asked).toEqual([])
  })

  test('of an unknown model is refused, and of what is refused the code is kept', async () => {
    const { post, get } = createTestApp()
    expect(await problemOf(await post('/api/v1/models/none/versions', request))).toEqual([
      404,
      'UNKNOWN_MODEL',
    ])
    expect(await problemOf(await get('/api/v1/models/none/registrations'))).toEqual([404, 'UNKNOWN_MODEL'])
    const control = createControlFixture({ now: fixtureNow })
    const answers = {
      UNKNOWN_ARTIFACT: 404,
      QUEUE_FULL: 409,
      CONTRACT_MISMATCH: 422,
      NOT_ONNX: 422,
      TOO_LARGE: 413,
    }
    for (const [code, status] of Object.entries(answers)) {
      const app = createTestApp({}, {}, { ...control, register: async () => refuse(code, 'no') })
      expect(await problemOf(await app.post(path, request))).toEqual([status, code])
    }
  })
})
