import { generateKeyPairSync } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readElement, readElements } from './der.ts'
import { parseSigningRequest } from './signing-request.crypto.ts'
import { requestBy } from './testing/request.forge.ts'

const { csrPem } = requestBy('gw-1')
const der = Buffer.from(csrPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
const toPem = (bytes: Uint8Array): string =>
  `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`

describe('a signing request', () => {
  test('is accepted as forge and as openssl write it', (context) => {
    expect(parseSigningRequest(csrPem).ok).toBe(true)
    let pem = ''
    try {
      pem = execFileSync(
        'openssl',
        [
          'req',
          '-new',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-keyout',
          '/dev/null',
          '-subj',
          '/CN=x',
          '-addext',
          'subjectAltName=DNS:y',
        ],
        { stdio: 'pipe' },
      ).toString()
    } catch {
      context.skip(true, 'openssl is missing: apt-get install openssl')
    }
    expect(parseSigningRequest(pem).ok).toBe(true)
  })

  test('with any bit flipped is refused', () => {
    for (let index = 0; index < der.length; index += 1) {
      const flipped = Buffer.from(der)
      flipped[index] = (flipped[index] ?? 0) ^ (1 << (index % 8))
      expect([index, parseSigningRequest(toPem(flipped)).ok]).toEqual([index, false])
    }
  })

  test('that was cut, or goes on after its end, is refused', () => {
    for (let length = 0; length < der.length; length += 7) {
      expect(parseSigningRequest(toPem(der.subarray(0, length))).ok).toBe(false)
    }
    expect(parseSigningRequest(toPem(Buffer.concat([der, Buffer.of(0)]))).ok).toBe(false)
  })

  test.each([
    ['1024 bits', () => requestBy('x', 1_024).csrPem],
    [
      'no request at all',
      () =>
        generateKeyPairSync('rsa', { modulusLength: 2_048 })
          .publicKey.export({ type: 'spki', format: 'pem' })
          .toString(),
    ],
    ['a megabyte', () => `-----BEGIN CERTIFICATE REQUEST-----${'A'.repeat(1_000_000)}`],
  ])('with %s is refused', (_, pem) => {
    expect(parseSigningRequest(pem())).toMatchObject({ refusal: { code: 'BAD_REQUEST' } })
  })

  test('of whatever bytes breaks nothing', () => {
    const mutated = fc
      .array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
      .map((changes) => {
        const bytes = Buffer.from(der)
        for (const [index, value] of changes) bytes[index] = value
        return bytes.equals(der) ? Buffer.of() : bytes
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), (bytes) => {
        expect(parseSigningRequest(toPem(bytes)).ok).toBe(false)
      }),
      { seed: 4, numRuns: 2_000 },
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(parseSigningRequest(text).ok).toBe(false)
      }),
      { seed: 4, numRuns: 500 },
    )
  })
})

describe('an element of DER', () => {
  test('is handed out as it came, with what follows', () => {
    const element = readElement(Uint8Array.of(0x02, 0x01, 0x05, 0x30))
    expect(element).toEqual({
      tag: 0x02,
      content: Uint8Array.of(0x05),
      whole: Uint8Array.of(0x02, 0x01, 0x05),
      rest: Uint8Array.of(0x30),
    })
  })

  test.each([
    ['nothing', []],
    ['a tag alone', [0x30]],
    ['a tag of several bytes', [0x1f, 0x01, 0x00]],
    ['no definite length', [0x30, 0x80, 0x00, 0x00]],
    ['a length that is missing', [0x30, 0x82, 0x01]],
    ['a length of three bytes', [0x30, 0x83, 0x00, 0x00, 0x01, 0x00]],
    ['a length written longer than needed', [0x02, 0x81, 0x01, 0x05]],
    ['less content than it says', [0x02, 0x02, 0x05]],
  ])('with %s is none', (_, bytes) => {
    expect(readElement(Uint8Array.from(bytes))).toBeUndefined()
  })

  test('has no more than so many inside', () => {
    expect(readElements(new Uint8Array(8), 4)).toHaveLength(4)
    expect(readElements(new Uint8Array(10), 4)).toBeUndefined()
  })
})
