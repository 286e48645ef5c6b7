import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { chmod, cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createAuthority, openAuthority } from './authority.fs.ts'
import { openDeniedList, readDenials } from './denied.fs.ts'
import { openTlsMaterial } from './material.fs.ts'
import { requestBy } from './testing/request.forge.ts'

const dayMs = 86_400_000
const agent = { kind: 'agent', site: 'north', name: 'gw-1' } as const
const part = { kind: 'broker', site: 'north', name: 'broker', hosts: ['localhost', '127.0.0.1'] } as const

/** Its key takes long to make. */
let template: string
beforeAll(async () => {
  template = await mkdtemp(join(tmpdir(), 'imlma-pki-template-'))
  await createAuthority(template, 'north')
})

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-pki-'))
  await cp(template, folder, { recursive: true })
})
afterAll(() => rm(template, { recursive: true }))
afterEach(() => rm(folder, { recursive: true }))

const requested = requestBy('anything')

const issueTo = async (identity = agent, validityMs = 30 * dayMs) => {
  const authority = await openAuthority(folder)
  const issued = authority.issue({ csrPem: requested.csrPem, identity, validityMs })
  if (!issued.ok) throw new Error(issued.refusal.message)
  return { authority, ...issued.value, certificate: new X509Certificate(issued.value.certPem) }
}

describe('the authority', () => {
  test('is made once, even by two at a time, and its key is for its owner alone', async () => {
    const fresh = join(folder, 'fresh')
    const made = await Promise.all([createAuthority(fresh, 'north'), createAuthority(fresh, 'north')])
    expect(made.filter(Boolean)).toHaveLength(1)
    const { fingerprint } = await openAuthority(fresh)
    expect(await createAuthority(fresh, 'north')).toBe(false)
    expect((await openAuthority(fresh)).fingerprint).toBe(fingerprint)
    expect((await stat(join(fresh, 'ca.key'))).mode & 0o777).toBe(0o600)
  })

  test('refuses to open with a key that others can read', async () => {
    await chmod(join(folder, 'ca.key'), 0o640)
    await expect(openAuthority(folder)).rejects.toMatchObject({ code: 'KEY_EXPOSED' })
  })

  test('refuses to open with a key that is not the certificate’s', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey
    await writeFile(join(folder, 'ca.key'), other.export({ type: 'pkcs8', format: 'pem' }))
    await expect(openAuthority(folder)).rejects.toMatchObject({ code: 'PKI_BROKEN' })
  })

  test('says what to do where there is none', async () => {
    await expect(openAuthority(join(folder, 'none'))).rejects.toMatchObject({ code: 'PKI_MISSING' })
  })
})

describe('a certificate', () => {
  test('names the agent it was issued to, not what the request asked for', async () => {
    const { certificate } = await issueTo()
    expect(certificate.subject).toBe('CN=gw-1\nOU=north\nO=imlma')
    expect(certificate.subjectAltName).toBe('URI:imlma://north/agent/gw-1')
  })

  test('is verified by OpenSSL against the authority and belongs to the key of the request', async () => {
    const { authority, certificate } = await issueTo()
    const ca = new X509Certificate(authority.caPem)
    expect(certificate.checkIssued(ca) && certificate.verify(ca.publicKey)).toBe(true)
    expect(certificate.checkPrivateKey(createPrivateKey(requested.privateKey))).toBe(true)
    expect(certificate.ca).toBe(false)
  })

  test('of an agent is good for a client and not for a server', async (context) => {
    const { certPem } = await issueTo()
    await writeFile(join(folder, 'leaf.pem'), certPem)
    const check = (purpose: string) => () =>
      execFileSync(
        'openssl',
        [
          'verify',
          '-x509_strict',
          '-purpose',
          purpose,
          '-CAfile',
          join(folder, 'ca.pem'),
          join(folder, 'leaf.pem'),
        ],
        { stdio: 'pipe' },
      )
    try {
      execFileSync('openssl', ['version'])
    } catch {
      context.skip(true, 'openssl is missing: apt-get install openssl')
    }
    expect(check('sslclient')).not.toThrow()
    expect(check('sslserver')).toThrow(/purpose/)
  })

  test('begins five minutes back, ends when it should, and has a serial of 128 positive bits', async () => {
    const { certificate, serial, notAfter } = await issueTo()
    expect(Date.now() - certificate.validFromDate.getTime()).toBeGreaterThan(299_000)
    expect(certificate.validToDate.getTime()).toBe(notAfter)
    expect(Math.abs(notAfter - Date.now() - 30 * dayMs)).toBeLessThan(10_000)
    expect(certificate.serialNumber.toLowerCase()).toBe(serial)
    expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/)
  })

  test('does not outlive the authority', async () => {
    const { authority, notAfter } = await issueTo(agent, 9_000 * dayMs)
    expect(notAfter).toBe(new X509Certificate(authority.caPem).validToDate.getTime())
  })
})

describe('a denial', () => {
  test('is seen at once by whoever has the list open, whoever denied', async () => {
    const { authority, serial } = await issueTo()
    const denied = openDeniedList(folder)
    expect(denied().has(serial)).toBe(false)
    await authority.deny(serial, 'stolen', 'gw-1')
    expect(denied().has(serial)).toBe(true)
    expect(authority.denied().has(serial)).toBe(true)
    expect(await readDenials(folder)).toMatchObject([{ serial, agent: 'gw-1', reason: 'stolen' }])
  })

  test('is never lost when several are written at once by several processes', async () => {
    const [first, second] = await Promise.all([openAuthority(folder), openAuthority(folder)])
    const serials = Array.from({ length: 24 }, (_, index) => (index + 16).toString(16).padStart(32, '4'))
    await Promise.all(serials.map((serial, index) => (index % 2 === 0 ? first : second).deny(serial, 'test')))
    expect([...openDeniedList(folder)()].toSorted()).toEqual(serials.toSorted())
  })

  test('is in the list after a cut between the file and the list', async () => {
    const { authority, serial } = await issueTo()
    const before = await readFile(join(folder, 'denied.json'))
    await authority.deny(serial, 'stolen')
    await writeFile(join(folder, 'denied.json'), before)
    expect((await openAuthority(folder)).denied().has(serial)).toBe(true)
  })

  test('list that cannot be read refuses everybody rather than nobody', async () => {
    await writeFile(join(folder, 'denied.json'), '{}')
    expect(openDeniedList(folder)).toThrow(expect.objectContaining({ code: 'PKI_BROKEN' }))
  })
})

describe('the material of a part', () => {
  test('stays the same until a third of its life is left, or it is reached under another name', async () => {
    const first = await openTlsMaterial(folder, part)
    expect(await openTlsMaterial(folder, part)).toEqual(first)
    const certificate = new X509Certificate(first.cert)
    expect(certificate.checkHost('localhost')).toBe('localhost')
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
    const later = await openTlsMaterial(folder, part, { now: () => Date.now() + 250 * dayMs })
    expect(later.cert).not.toBe(first.cert)
    const renamed = await openTlsMaterial(folder, { ...part, hosts: ['scada.example'] })
    expect(new X509Certificate(renamed.cert).checkHost('scada.example')).toBe('scada.example')
  })

  test('opens without the authority’s key as long as it is good', async () => {
    const first = await openTlsMaterial(folder, part)
    await rm(join(folder, 'ca.key'))
    expect(await openTlsMaterial(folder, part)).toEqual(first)
    await expect(openTlsMaterial(folder, { ...part, hosts: ['other'] })).rejects.toMatchObject({
      code: 'KEY_MISSING',
    })
  })
})
