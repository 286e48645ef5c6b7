import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '@imlma/protocol/node'
import { enrolmentSchema } from '@imlma/protocol/trust'
import { createAuthority, openAuthority } from './authority.fs.ts'
import { readDenials } from './denied.fs.ts'
import { openTlsMaterial } from './material.fs.ts'
import { createTokens } from './tokens.fs.ts'
import { requestBy } from './testing/request.forge.ts'
import {
  artifact,
  enrolAs,
  enrolBody,
  newSigningKey,
  renewalBy,
  startTestSite,
  type Enrolled,
  type TestSite,
} from './testing/site.fs.ts'

const dayMs = 86_400_000
const artifactPath = `/artifacts/${sha256(artifact)}`
const request = requestBy('whoever')
const other = requestBy('other')

let site: TestSite
beforeEach(async () => {
  site = await startTestSite()
})
afterEach(() => site.close())

const enrolWith = async (change: object, agent = 'gw-1') => {
  const { secret } = await site.tokens.create(agent, 3_600_000)
  return site.ask('/enrol', { body: { ...enrolBody(secret, agent, request.csrPem), ...change } })
}

describe('an enrolment', () => {
  test('gives a certificate in the token’s name, with authority, roots, certification and broker', async () => {
    const { answer, body } = await enrolAs(site, 'gw-1')
    expect(answer.status).toBe(200)
    const given = enrolmentSchema.parse(answer.json)
    const certificate = new X509Certificate(given.certificate)
    expect(certificate.subject).toBe('CN=gw-1\nOU=north\nO=imlma')
    expect(given.ca).toBe(site.authority.caPem)
    expect(given.broker).toBe('mqtts://127.0.0.1:8883')
    const certified = JSON.parse(Buffer.from(given.certification.payload, 'base64').toString()) as object
    expect(certified).toMatchObject({
      agent: 'gw-1',
      public: body.signingKey,
      serial: certificate.serialNumber.toLowerCase(),
      expiresAt: given.notAfter,
    })
    expect(site.events.map(({ kind, agent }) => [kind, agent])).toEqual([
      ['agent-enrolled', 'gw-1'],
      ['certificate-issued', 'gw-1'],
    ])
  })

  test('leaves the certification where ingest finds it', async () => {
    const { body, answer } = await enrolAs(site, 'gw-1')
    const keyid = sha256(Buffer.from(body.signingKey, 'base64'))
    const kept: unknown = JSON.parse(
      await readFile(join(site.folder, 'agents', 'north.gw-1', `${keyid}.json`), 'utf8'),
    )
    expect(kept).toEqual(answer.json?.certification)
  })

  test('whose answer was lost is answered again for the same keys, and for no others', async () => {
    const first = await enrolAs(site, 'gw-1')
    const again = await site.ask('/enrol', { body: first.body })
    expect(again.json?.certificate).toBe(first.cert)
    const csr = { body: { ...first.body, csr: request.csrPem } }
    expect((await site.ask('/enrol', csr)).json).toMatchObject({ code: 'TOKEN_USED' })
    const signingKey = { body: { ...first.body, signingKey: newSigningKey() } }
    expect((await site.ask('/enrol', signingKey)).json).toMatchObject({ code: 'TOKEN_USED' })
    expect(site.events).toHaveLength(2)
  })

  test('by one token from two gateways at once succeeds for one', async () => {
    const { secret } = await site.tokens.create('gw-1', 3_600_000)
    const bodies = [request, other].map(({ csrPem }) => enrolBody(secret, 'gw-1', csrPem))
    const answers = await Promise.all(bodies.map((body) => site.ask('/enrol', { body })))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])
  })

  test('by a token that was used before a crash is refused', async () => {
    const { secret } = await site.tokens.create('gw-1', 3_600_000)
    // Used up, and then nothing: what a crash before the issue leaves behind.
    await createTokens(site.pki, Date.now).use(secret, 'gw-1', 'f'.repeat(64))
    const answer = await site.ask('/enrol', { body: enrolBody(secret, 'gw-1', request.csrPem) })
    expect(answer.json).toMatchObject({ code: 'TOKEN_USED' })
  })

  test('by an expired token is refused, also for the key that used it', async () => {
    const { secret } = await site.tokens.create('gw-1', 60_000)
    site.advance(60_000)
    const answer = await site.ask('/enrol', { body: enrolBody(secret, 'gw-1', request.csrPem) })
    expect(answer).toMatchObject({ status: 403, json: { code: 'TOKEN_EXPIRED' } })
  })

  test('under another agent’s name is refused and leaves the token good', async () => {
    const { secret } = await site.tokens.create('gw-1', 3_600_000)
    const wrong = await site.ask('/enrol', { body: enrolBody(secret, 'gw-2', request.csrPem) })
    expect(wrong.json).toMatchObject({ code: 'WRONG_TARGET' })
    const right = await site.ask('/enrol', { body: enrolBody(secret, 'gw-1', request.csrPem) })
    expect(right.status).toBe(200)
  })

  test.each([
    ['another site', { site: 'south' }, 403, 'WRONG_TARGET'],
    ['a secret that nobody gave out', { secret: 'A'.repeat(43) }, 403, 'TOKEN_UNKNOWN'],
    ['a secret that is a path', { secret: '../../../ca.key'.padEnd(43, '.') }, 400, 'BAD_REQUEST'],
    ['no request', { csr: 'none' }, 400, 'BAD_REQUEST'],
    ['a weak key', { csr: requestBy('weak', 1_024).csrPem }, 400, 'BAD_REQUEST'],
    ['a short signing key', { signingKey: 'AAAA' }, 400, 'BAD_REQUEST'],
    ['a foreign version', { v: 2 }, 400, 'BAD_REQUEST'],
  ])('with %s is refused', async (_, change, status, code) => {
    expect(await enrolWith(change)).toMatchObject({ status, json: { code } })
    expect(site.events).toEqual([])
  })

  test('whose request is signed by another key than the one inside is refused, and the token stays good', async () => {
    const der = Buffer.from(request.csrPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    expect(await enrolWith({ csr: forged })).toMatchObject({ json: { code: 'BAD_REQUEST' } })
    expect((await site.tokens.list()).map(({ usedAt }) => usedAt)).toEqual([null])
  })
})

describe('a token', () => {
  test('is nowhere on disk, only its hash', async () => {
    const { secret } = await site.tokens.create('gw-1', 3_600_000)
    const path = join(site.pki, 'tokens', `${secret.slice(0, 11)}.json`)
    expect(await readFile(path, 'utf8')).not.toContain(secret.slice(11))
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('with the right beginning and a wrong end is unknown', async () => {
    const { secret } = await site.tokens.create('gw-1', 3_600_000)
    const wrong = `${secret.slice(0, 42)}${secret.endsWith('A') ? 'Q' : 'A'}`
    expect(await site.tokens.use(wrong, 'gw-1', 'f'.repeat(64))).toMatchObject({
      refusal: { code: 'TOKEN_UNKNOWN' },
    })
  })

  test('is forgotten a week after it has expired', async () => {
    await site.tokens.create('gw-1', 60_000)
    site.advance(8 * dayMs)
    await site.tokens.create('gw-2', 60_000)
    expect((await site.tokens.list()).map(({ agent }) => agent)).toEqual(['gw-2'])
  })
})

describe('a renewal', () => {
  test('before the last third of the certificate’s life is too early', async () => {
    const { key, cert } = await enrolAs(site, 'gw-1')
    site.advance(19 * dayMs)
    const answer = await site.ask('/renew', { key, cert, body: renewalBy(key) })
    expect(answer).toMatchObject({ status: 409, json: { code: 'TOO_EARLY' } })
  })

  test('in the last third gives a new certificate in the same name, and the same one again', async () => {
    const { key, cert, body } = await enrolAs(site, 'gw-1')
    site.advance(21 * dayMs)
    const answer = await site.ask('/renew', { key, cert, body: renewalBy(key) })
    const given = enrolmentSchema.parse(answer.json)
    const renewed = new X509Certificate(given.certificate)
    expect(renewed.subject).toBe('CN=gw-1\nOU=north\nO=imlma')
    expect(renewed.validToDate.getTime()).toBeGreaterThan(new X509Certificate(cert).validToDate.getTime())
    expect(Buffer.from(given.certification.payload, 'base64').toString()).toContain(body.signingKey)
    const again = await site.ask('/renew', { key, cert, body: renewalBy(key) })
    expect(again.json?.certificate).toBe(given.certificate)
    expect(await readDenials(site.pki)).toEqual([])
  })

  test('may bring new keys, proven by its request', async () => {
    const { key, cert } = await enrolAs(site, 'gw-1')
    site.advance(21 * dayMs)
    const signingKey = newSigningKey()
    const body = { ...renewalBy(request.privateKey), signingKey }
    const given = enrolmentSchema.parse((await site.ask('/renew', { key, cert, body })).json)
    expect(new X509Certificate(given.certificate).publicKey.export({ type: 'spki', format: 'pem' })).not.toBe(
      new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'pem' }),
    )
    expect(Buffer.from(given.certification.payload, 'base64').toString()).toContain(signingKey)
  })

  test('takes the name from the certificate, whatever the body says', async () => {
    const { key, cert } = await enrolAs(site, 'gw-1')
    site.advance(21 * dayMs)
    const body = { ...renewalBy(key), agent: 'gw-2', site: 'south' }
    const answer = await site.ask('/renew', { key, cert, body })
    expect(new X509Certificate(String(answer.json?.certificate)).subject).toContain('CN=gw-1')
  })

  test('with ever new keys ends at sixteen certificates', { timeout: 30_000 }, async () => {
    const { key, cert } = await enrolAs(site, 'gw-1')
    site.advance(21 * dayMs)
    const codes: unknown[] = []
    for (let round = 0; round < 16; round += 1) {
      const body = { ...renewalBy(key), signingKey: newSigningKey() }
      codes.push((await site.ask('/renew', { key, cert, body })).json?.code)
    }
    expect(codes.slice(0, 15)).toEqual(Array(15).fill(undefined))
    expect(codes.at(-1)).toBe('TOO_MANY')
  })
})

describe('a client without a good certificate', () => {
  const foreignFolder = mkdtemp(join(tmpdir(), 'imlma-foreign-'))
  afterAll(async () => rm(await foreignFolder, { recursive: true }))

  test('gets neither artifacts nor a renewal', async () => {
    expect(await site.ask(artifactPath)).toMatchObject({ status: 401, json: { code: 'NO_CERTIFICATE' } })
    expect(await site.ask('/renew', { body: renewalBy(request.privateKey) })).toMatchObject({ status: 401 })
  })

  test('is refused when a foreign authority has signed it, under the same names', async () => {
    const folder = await foreignFolder
    await createAuthority(folder, 'north')
    const foreign = await openAuthority(folder)
    const identity = { kind: 'agent', site: 'north', name: 'gw-1' } as const
    const issued = foreign.issue({ csrPem: request.csrPem, identity, validityMs: dayMs })
    if (!issued.ok) throw new Error(issued.refusal.message)
    const client = { key: request.privateKey, cert: issued.value.certPem }
    expect(await site.ask(artifactPath, client)).toMatchObject({ status: 401 })
    expect(await site.ask('/renew', { ...client, body: renewalBy(request.privateKey) })).toMatchObject({
      status: 401,
    })
  })

  test('is refused when it has expired, by OpenSSL’s clock and by the control centre’s', async () => {
    const short = await startTestSite({ validityMs: -1_000 })
    try {
      const { key, cert } = await enrolAs(short, 'gw-1')
      expect(await short.ask(artifactPath, { key, cert })).toMatchObject({ status: 401 })
    } finally {
      await short.close()
    }
    const { key, cert } = await enrolAs(site, 'gw-1')
    site.advance(31 * dayMs)
    expect(await site.ask(artifactPath, { key, cert })).toMatchObject({ status: 401 })
  })

  test('is refused when it is a part of the control centre, not an agent', async () => {
    const broker = { kind: 'broker', site: 'north', name: 'gw-1' } as const
    const { key, cert } = await openTlsMaterial(site.pki, broker)
    expect(await site.ask(artifactPath, { key, cert })).toMatchObject({
      status: 403,
      json: { code: 'WRONG_TARGET' },
    })
  })

  test('that is denied gets neither artifacts nor a renewal', async () => {
    const { key, cert } = await enrolAs(site, 'gw-1')
    expect((await site.ask(artifactPath, { key, cert })).status).toBe(200)
    await site.authority.deny(new X509Certificate(cert).serialNumber.toLowerCase(), 'stolen')
    expect(await site.ask(artifactPath, { key, cert })).toMatchObject({
      status: 403,
      json: { code: 'DENIED' },
    })
    site.advance(21 * dayMs)
    expect(await site.ask('/renew', { key, cert, body: renewalBy(key) })).toMatchObject({
      json: { code: 'DENIED' },
    })
  })
})

const toClient = ({ key, cert }: Enrolled) => ({ key, cert })

test('a gateway that is enrolled anew shuts out the older one, once it is there itself', async () => {
  const [stolen, fresh] = [
    toClient(await enrolAs(site, 'gw-1')),
    toClient(await enrolAs(site, 'gw-1', request)),
  ]
  expect((await site.ask(artifactPath, stolen)).status).toBe(200)
  expect((await site.ask(artifactPath, fresh)).status).toBe(200)
  expect(await site.ask(artifactPath, stolen)).toMatchObject({ json: { code: 'DENIED' } })
  expect((await site.ask(artifactPath, fresh)).status).toBe(200)
})

test('what the older one has renewed in the meantime is shut out with it', async () => {
  // Dated back by five minutes, a certificate of a hundred seconds is in the last third of its life at once.
  const short = await startTestSite({ validityMs: 100_000 })
  try {
    const stolen = toClient(await enrolAs(short, 'gw-1'))
    const fresh = toClient(await enrolAs(short, 'gw-1', request))
    const renewal = await short.ask('/renew', { ...stolen, body: renewalBy(stolen.key) })
    const renewed = { key: stolen.key, cert: String(renewal.json?.certificate) }
    expect((await short.ask(artifactPath, renewed)).status).toBe(200)
    await short.ask(artifactPath, fresh)
    expect(await short.ask(artifactPath, renewed)).toMatchObject({ json: { code: 'DENIED' } })
  } finally {
    await short.close()
  }
})

describe('an artifact', () => {
  test.each([
    [undefined, 200, 'a model of some bytes', undefined],
    ['bytes=2-6', 206, 'model', 'bytes 2-6/21'],
    ['bytes=8-', 206, 'of some bytes', 'bytes 8-20/21'],
    ['bytes=-5', 206, 'bytes', 'bytes 16-20/21'],
    ['bytes=16-900', 206, 'bytes', 'bytes 16-20/21'],
    ['bytes=0-1,4-5', 200, 'a model of some bytes', undefined],
    ['bytes=5-2', 200, 'a model of some bytes', undefined],
    ['bytes=21-', 416, undefined, 'bytes */21'],
    ['bytes=-0', 416, undefined, 'bytes */21'],
  ])('asked for with range %s is answered %i', async (range, status, content, header) => {
    const { key, cert } = await enrolAs(site, 'gw-1')
    const headers = range === undefined ? {} : { range }
    const answer = await site.ask(artifactPath, { key, cert, headers })
    expect(answer.status).toBe(status)
    expect(answer.headers['content-range']).toBe(header)
    if (content !== undefined) expect(answer.bytes.toString()).toBe(content)
  })

  test('that is none is not found', async () => {
    const { key, cert } = await enrolAs(site, 'gw-1')
    expect((await site.ask(`/artifacts/${'0'.repeat(64)}`, { key, cert })).status).toBe(404)
    expect((await site.ask('/artifacts/../ca.key', { key, cert })).status).toBe(404)
  })
})

describe('the listener', () => {
  test('speaks TLS 1.3 and nothing older', async () => {
    await expect(site.ask('/enrol', { maxVersion: 'TLSv1.2' })).rejects.toThrow(/version|alert/)
  })

  test('reads no more than sixteen kilobytes of a body', async () => {
    const answer = await site.ask('/enrol', { body: 'x'.repeat(20_000) })
    expect(answer).toMatchObject({ status: 413, json: { code: 'TOO_LARGE' } })
  })

  test('takes no request apart that is none', async () => {
    for (const body of ['', '{', 'null', '[]', '{"v":1}', '{"__proto__":{"v":1}}', '\u0000']) {
      expect(await site.ask('/enrol', { body, method: 'POST' })).toMatchObject({ status: 400 })
    }
    expect(await site.ask('/', { method: 'DELETE' })).toMatchObject({ status: 404 })
    expect(site.failures).toEqual([])
  })

  test('lets one address ask so often', async () => {
    const slow = await startTestSite({ burst: 2, perSecond: 0.001 })
    try {
      const statuses: number[] = []
      for (let round = 0; round < 3; round += 1)
        statuses.push((await slow.ask('/enrol', { body: '{}' })).status)
      expect(statuses).toEqual([400, 400, 429])
    } finally {
      await slow.close()
    }
  })

  test('cuts the connections of one address that are too many, and serves it when they are gone', async () => {
    const small = await startTestSite({ connectionsPerAddressMax: 3 })
    try {
      const idle = Array.from({ length: 3 }, () => connect(small.port, '127.0.0.1'))
      await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
      await expect(small.ask('/enrol', { body: '{}' })).rejects.toThrow(/disconnected|ECONNRESET|hang up/)
      for (const socket of idle) socket.destroy()
      await expect
        .poll(async () => (await small.ask('/enrol', { body: '{}' }).catch(() => undefined))?.status)
        .toBe(400)
    } finally {
      await small.close()
    }
  })
})
