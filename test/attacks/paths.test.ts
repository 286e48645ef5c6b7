import { describe, expect, test } from 'vitest'
import { createTestApp } from '@imlma/coordinator/testing/parsers'

const outside = [
  '..%2F..%2Ftrust%2Fkeys%2Frelease.json',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '..%5C..%5Cetc%5Cpasswd',
  '%2Fetc%2Fpasswd',
  `${'0'.repeat(63)}%00`,
  `${'0'.repeat(64)}%2F..`,
  '%C0%AE%C0%AE%C0%AFetc',
  '__proto__',
  'constructor',
  'A'.repeat(8_000),
]
const places = [
  ['GET', '/api/v1/artifacts/'],
  ['GET', '/api/v1/datasets/'],
  ['PUT', '/api/v1/uploads/'],
  ['GET', '/api/v1/models/'],
  ['GET', '/api/v1/models/load-day-ahead/versions/'],
  ['POST', '/api/v1/tokens/'],
] as const

describe.each(places)('%s %s', (method, place) => {
  test.each(outside)('%s is refused with a code, and nobody inside is asked', async (name) => {
    const { app, control, errors } = createTestApp()
    const response = await app.request(`${place}${name}`, {
      method,
      headers: {
        host: '127.0.0.1:4600',
        authorization: 'Bearer operate',
        'content-type': method === 'PUT' ? 'application/octet-stream' : 'application/json',
      },
      ...(method === 'GET' ? {} : { body: '{}' }),
    })
    const text = await response.text()
    expect([400, 401, 403, 404, 414]).toContain(response.status)
    expect((JSON.parse(text) as { code?: unknown }).code).toEqual(expect.stringMatching(/^[A-Z_]+$/))
    expect(control.asked).toEqual([])
    expect(errors).toEqual([])
    expect(text).not.toMatch(/root:|secret|at .*\.ts/)
  })
})
