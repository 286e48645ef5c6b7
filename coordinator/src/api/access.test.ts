import { describe, expect, test } from 'vitest'
import { createTestApp } from './testing/call.http.ts'

const path = '/api/v1/models/load-day-ahead/retrain'
const reason = { reason: 'test' }

const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { code: string }).code

describe('changes are taken', () => {
  test.each([
    ['from the command line', {}],
    ['from the page itself', { origin: 'http://127.0.0.1:4600', 'sec-fetch-site': 'same-origin' }],
    ['under the name localhost', { host: 'localhost:4600', origin: 'http://localhost:4600' }],
    ['over IPv6', { host: '[::1]:4600' }],
  ])('%s', async (_, headers) => {
    expect((await createTestApp().post(path, reason, headers)).status).toBe(202)
  })
})

describe('changes are refused', () => {
  test.each([
    [
      'from a page of another site',
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      'FOREIGN_ORIGIN',
    ],
    ['from another port of this machine', { origin: 'http://127.0.0.1:9999' }, 'FOREIGN_ORIGIN'],
    ['from another site, whatever Origin says', { 'sec-fetch-site': 'same-site' }, 'FOREIGN_ORIGIN'],
    ['from a page without an origin', { origin: 'null' }, 'FOREIGN_ORIGIN'],
    [
      'under a foreign name (DNS rebinding)',
      { host: 'evil.example:4600', origin: 'http://evil.example:4600' },
      'FOREIGN_HOST',
    ],
    ['under a name that only begins like ours', { host: 'localhost.evil.example' }, 'FOREIGN_HOST'],
    ['as a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'NOT_JSON'],
    ['as plain text, which a page may send unasked', { 'content-type': 'text/plain' }, 'NOT_JSON'],
  ])('%s', async (_, headers, code) => {
    const { post, control } = createTestApp()
    const response = await post(path, reason, headers)
    expect([response.status >= 400, await codeOf(response)]).toEqual([true, code])
    expect(control.asked).toEqual([])
  })
})

describe('reading', () => {
  test('under a foreign name is refused where only loopback is served', async () => {
    const foreign = { host: 'evil.example' }
    expect(await codeOf(await createTestApp().get('/api/v1/agents', foreign))).toBe('FOREIGN_HOST')
    expect((await createTestApp({ loopbackOnly: false }).get('/api/v1/agents', foreign)).status).toBe(200)
  })

  test('carries a policy under which the page can load nothing foreign and run nothing inline', async () => {
    const policy = (await createTestApp().get('/')).headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self' 'sha256-aGFzaA=='")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
  })
})
