import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeToken, parseToken, type EnrolmentToken } from './enrolment.ts'

const token: EnrolmentToken = {
  url: 'https://centre.example:8443',
  site: 'north',
  agent: 'gw-1',
  ca: 'a'.repeat(64),
  root: 'b'.repeat(64),
  secret: 'c'.repeat(43),
}

test('a token is read as it was written, with white space around it', () => {
  expect(encodeToken(token)).toMatch(/^imlma1\.[A-Za-z0-9_-]+$/)
  expect(parseToken(` ${encodeToken(token)}\n`)).toEqual({ ok: true, value: token })
})

test('a token that was cut anywhere is refused', () => {
  const whole = encodeToken(token)
  for (let length = 0; length < whole.length; length += 1) {
    expect(parseToken(whole.slice(0, length))).toMatchObject({ ok: false, refusal: { code: 'BAD_TOKEN' } })
  }
})

test.each([
  ['a listener without TLS', { url: 'http://centre.example:8443' }],
  ['a name that is none', { agent: '../x' }],
  ['a short secret', { secret: 'c' }],
  ['a digest that is none', { ca: 'A'.repeat(64) }],
])('a token with %s is refused', (_, change) => {
  const body = Buffer.from(JSON.stringify({ ...token, ...change })).toString('base64url')
  expect(parseToken(`imlma1.${body}`).ok).toBe(false)
})

test('no text breaks the parser', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.base64String().map((body) => `imlma1.${body}`),
    fc.json().map((json) => `imlma1.${Buffer.from(json).toString('base64url')}`),
  )
  fc.assert(
    fc.property(texts, (text) => {
      expect(parseToken(text).ok).toBe(false)
    }),
    { seed: 4, numRuns: 2_000 },
  )
})
