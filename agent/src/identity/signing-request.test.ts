import { execFile, execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import fc from 'fast-check'
import { requestFor, type TlsKey } from './tls-key.crypto.ts'
import { derTags, element } from './der.ts'
import { createSigningRequest } from './signing-request.ts'

const newKey = (modulusLength: number): TlsKey => {
  const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength })
  return { key, pem: key.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
const key = newKey(2_048)

const hasOpenssl = (): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Standard output and error of `openssl req` for a request. */
const openssl = (request: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      'openssl',
      ['req', '-verify', '-noout', '-subject', '-nameopt', 'RFC2253,utf8,-esc_msb', '-text'],
      (error, out, err) => (error === null ? resolve(out + err) : reject(new Error(err))),
    )
    child.stdin?.end(request)
  })

test.for([
  ['gw-1', 'north', 2_048],
  ['g'.repeat(64), 's'.repeat(64), 4_096],
] as const)('OpenSSL reads and verifies the request of %s', async ([agent, site, bits], context) => {
  context.skip(!hasOpenssl(), 'the program openssl is missing (apt install openssl)')
  const told = await openssl(requestFor(bits === 2_048 ? key : newKey(bits), { agent, site }))
  expect(told).toMatch(/verify OK/i)
  expect(told).toContain(`OU=${site},CN=${agent}`)
  expect(told).toContain(`(${bits} bit)`)
  expect(told).toContain('sha256WithRSAEncryption')
})

test('OpenSSL refuses a request that another key signed', async (context) => {
  context.skip(!hasOpenssl(), 'the program openssl is missing (apt install openssl)')
  const request = createSigningRequest(
    {
      publicKey: createPublicKey(key.key).export({ type: 'spki', format: 'der' }),
      sign: (bytes) => sign('sha256', bytes, newKey(2_048).key),
    },
    { agent: 'gw-1', site: 'north' },
  )
  // It says so, and ends well in some of its versions.
  expect(await openssl(request).catch(String)).toMatch(/verif[a-z ]* failure/i)
})

test('a length is written in its shortest form, and says how many bytes follow', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff }), (length) => {
      const der = element(derTags.sequence, new Uint8Array(length))
      const first = der[1] ?? 0
      const count = first < 0x80 ? 0 : first & 0x7f
      const said =
        count === 0 ? first : Number(`0x${Buffer.from(der.subarray(2, 2 + count)).toString('hex')}`)
      expect(said).toBe(length)
      expect(der.byteLength).toBe(2 + count + length)
      expect(count).toBe(length < 0x80 ? 0 : length < 0x100 ? 1 : 2)
    }),
    { seed: 4, numRuns: 300 },
  )
})
