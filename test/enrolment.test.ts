import { X509Certificate } from 'node:crypto'
import { chmod, readFile, rm, stat } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  digestOfRoot,
  enrol,
  openSigningKey,
  openTlsKey,
  readEnrolled,
  renew,
  startRenewal,
  type Enrolled,
  type Renewal,
} from '@imlma/agent/identity'
import { startTrustedSite, type TrustedSite } from '@imlma/coordinator/trust/testing'
import { parseToken, type Enrolment, type EnrolmentToken, type Envelope } from '@imlma/protocol/trust'
import { createFolder, type Folder } from './house/places.fs.ts'

const dayMs = 86_400_000

let site: TrustedSite
let foreign: TrustedSite
let folder: Folder
let dataDir: string
let adopted: Envelope[]
beforeAll(async () => {
  ;[site, foreign] = await Promise.all([startTrustedSite('north'), startTrustedSite('south')])
})
beforeEach(async () => {
  folder = await createFolder('enrolment')
  dataDir = `${folder.path}/gw`
  adopted = []
})
afterEach(async () => {
  site.answerBy((answer) => answer)
  await folder.remove()
})
afterAll(async () => {
  await site.close()
  await foreign.close()
})

const read = (text: string): EnrolmentToken => {
  const token = parseToken(text)
  if (!token.ok) throw new Error(token.refusal.message)
  return token.value
}
const enrolWith = (token: EnrolmentToken, where = dataDir, knownRoot?: string): Promise<Enrolled> =>
  enrol({ dataDir: where, knownRoot, adoptRoot: async (root) => void adopted.push(root) }, token)
const serialOf = ({ certificate }: Enrolled): string => new X509Certificate(certificate).serialNumber
const keysOf = async (where: string) => {
  const [key, signing] = await Promise.all([openTlsKey(where), openSigningKey(where)])
  if (key === undefined || signing === undefined) throw new Error('no keys')
  return { key, signing }
}
const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

describe('enrolment', () => {
  test('gives an agent keys that stay at home, a certificate, the trust root and its broker', async () => {
    const token = read(await site.token('gw-1'))
    const enrolled = await enrolWith(token)
    expect(await readEnrolled(dataDir)).toEqual(enrolled)
    expect(enrolled).toMatchObject({ site: 'north', agent: 'gw-1', broker: 'mqtts://127.0.0.1:8883' })
    expect(adopted.map(digestOfRoot)).toEqual([token.root])
    const { key, signing } = await keysOf(dataDir)
    const certificate = new X509Certificate(enrolled.certificate)
    expect(certificate.verify(new X509Certificate(site.authority.caPem).publicKey)).toBe(true)
    expect(certificate.checkPrivateKey(key.key)).toBe(true)
    expect(certificate.subject).toContain('CN=gw-1')
    expect(Buffer.from(enrolled.certification.payload, 'base64').toString()).toContain(signing.signer.keyid)
    for (const [file, mode] of [
      ['', 0o700],
      ['/key.pem', 0o600],
      ['/signing.json', 0o600],
    ] as const) {
      expect((await stat(`${dataDir}/identity${file}`)).mode & 0o777).toBe(mode)
    }
    // The secret is of no use to whoever reads the file.
    expect(await readFile(`${dataDir}/identity/enrolment.json`, 'utf8')).not.toContain(token.secret)
  })

  test('a key that others can read is refused', async () => {
    await enrolWith(read(await site.token('gw-2')))
    await chmod(`${dataDir}/identity/key.pem`, 0o640)
    await expect(openTlsKey(dataDir)).rejects.toMatchObject({ code: 'KEY_EXPOSED' })
    await chmod(`${dataDir}/identity/signing.json`, 0o604)
    await expect(openSigningKey(dataDir)).rejects.toMatchObject({ code: 'KEY_EXPOSED' })
  })

  test('tells its secret to nobody but the authority that the token names', async () => {
    const token = read(await site.token('gw-3', { ca: foreign.authority.fingerprint }))
    const asked = site.asked()
    await expect(enrolWith(token)).rejects.toMatchObject({ code: 'WRONG_AUTHORITY' })
    expect(site.asked()).toBe(asked)
    expect(await isThere(`${dataDir}/identity`)).toBe(false)
  })

  test('tells it to nobody under another name than the certificate says', async () => {
    const right = read(await site.token('gw-4'))
    const asked = site.asked()
    const token = { ...right, url: right.url.replace('127.0.0.1', 'localhost') }
    await expect(enrolWith(token)).rejects.toMatchObject({ code: 'GATEWAY_UNTRUSTED' })
    expect(site.asked()).toBe(asked)
  })

  test('an answer that was lost is given again: same token, same keys, same certificate', async () => {
    const token = read(await site.token('gw-5'))
    const issued: string[] = []
    site.answerBy((answer) => {
      issued.push(answer.certificate)
      throw new Error('lost')
    })
    await expect(enrolWith(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const { key } = await keysOf(dataDir)
    expect(await readEnrolled(dataDir)).toBeUndefined()
    site.answerBy((answer) => answer)
    const enrolled = await enrolWith(token)
    expect([enrolled.certificate]).toEqual(issued)
    expect((await keysOf(dataDir)).key.pem).toBe(key.pem)
  })

  test('a token serves one gateway', async () => {
    const token = read(await site.token('gw-6'))
    await enrolWith(token)
    await expect(enrolWith(token, `${folder.path}/thief`)).rejects.toMatchObject({ code: 'TOKEN_USED' })
  })

  test('a directory stays with its agent, its site and its trust root', async () => {
    const first = read(await site.token('gw-7'))
    await enrolWith(first)
    const other = read(await site.token('gw-8'))
    await expect(enrolWith(other)).rejects.toMatchObject({ code: 'WRONG_TARGET' })
    const away = read(await foreign.token('gw-7'))
    await expect(enrolWith(away)).rejects.toMatchObject({ code: 'WRONG_TARGET' })
    await expect(enrolWith(other, `${folder.path}/new`, away.root)).rejects.toMatchObject({
      code: 'WRONG_ROOT',
    })
  })

  test('the trust root of another site is refused, whoever sends it', async () => {
    const theirs: Enrolment[] = []
    foreign.answerBy((answer) => {
      theirs.push(answer)
      return answer
    })
    await enrolWith(read(await foreign.token('gw-1')), `${folder.path}/south`)
    site.answerBy((answer) => ({ ...answer, roots: theirs[0]?.roots ?? [] }))
    await expect(enrolWith(read(await site.token('gw-1')))).rejects.toMatchObject({ code: 'WRONG_ROOT' })
  })

  test('the same agent’s certificate and certification for other keys are refused', async () => {
    const other = await enrolWith(read(await site.token('gw-1')), `${folder.path}/before`)
    const { certificate, notAfter, certification } = other
    site.answerBy((answer) => ({ ...answer, certificate, notAfter }))
    await expect(enrolWith(read(await site.token('gw-1')))).rejects.toMatchObject({
      code: 'WRONG_CERTIFICATE',
    })
    site.answerBy((answer) => ({ ...answer, certification }))
    await expect(enrolWith(read(await site.token('gw-1')))).rejects.toMatchObject({
      code: 'WRONG_CERTIFICATION',
    })
  })

  const wrong: readonly (readonly [string, string, (answer: Enrolment, other: Enrolled) => Enrolment])[] = [
    ['WRONG_AUTHORITY', 'another authority', (answer) => ({ ...answer, ca: foreign.authority.caPem })],
    ['WRONG_CERTIFICATE', 'no certificate', (answer) => ({ ...answer, certificate: 'none' })],
    [
      'WRONG_CERTIFICATE',
      'the certificate of another agent',
      (answer, { certificate, notAfter }) => ({ ...answer, certificate, notAfter }),
    ],
    ['WRONG_CERTIFICATE', 'another end', (answer) => ({ ...answer, notAfter: answer.notAfter + dayMs })],
    [
      'WRONG_ROOT',
      'a root that is none',
      ({ certification, ...rest }) => ({ ...rest, certification, roots: [certification] }),
    ],
    [
      'WRONG_ROOT',
      'a root that does not follow',
      (answer) => ({ ...answer, roots: [...answer.roots, answer.certification] }),
    ],
    [
      'WRONG_CERTIFICATION',
      'the certification of another agent',
      (answer, { certification }) => ({ ...answer, certification }),
    ],
  ]
  test.each(wrong)(
    '%s: an answer with %s is refused, and nothing of it is kept',
    async (code, _what, change) => {
      const other = await enrolWith(read(await site.token('gw-9')), `${folder.path}/other`)
      const before = adopted.length
      site.answerBy((answer) => change(answer, other))
      await expect(enrolWith(read(await site.token('gw-1')))).rejects.toMatchObject({ code })
      expect(await readEnrolled(dataDir)).toBeUndefined()
      expect(adopted).toHaveLength(before)
    },
  )
})

describe('renewal', () => {
  let renewal: Renewal | undefined
  let monotonic = 0
  let changes: Enrolled[]
  let troubles: string[]
  let failures: unknown[]
  beforeEach(() => {
    changes = []
    troubles = []
    failures = []
  })
  afterEach(() => {
    renewal?.stop()
    site.advance(Date.now() - site.now())
  })

  /** The earliest one: `random` says so. Only `look` moves it. */
  const keep = async (enrolled: Enrolled, ask?: typeof renew): Promise<Renewal> => {
    const keys = await keysOf(dataDir)
    renewal = startRenewal(
      {
        dataDir,
        renew: (current) => (ask ?? renew)(current, keys),
        now: site.now,
        monotonicMs: () => monotonic,
        random: () => 0,
        onChange: (next) => changes.push(next),
        onTrouble: ({ code }) => troubles.push(code),
        onFailure: (cause) => failures.push(cause),
      },
      enrolled,
      { lookEveryMs: 2 ** 30, retryDelayMsMin: 1_000, retryDelayMsMax: 8_000 },
    )
    await renewal.look()
    return renewal
  }
  const fails = async (): Promise<never> => {
    throw new Error('no way')
  }

  test('comes at two thirds of the life, for the same key, and is on disk before it is used', async () => {
    const enrolled = await enrolWith(read(await site.token('gw-20')))
    const { key } = await keysOf(dataDir)
    const { look } = await keep(enrolled)
    site.advance(20 * dayMs - 600_000)
    await look()
    expect(changes).toEqual([])
    site.advance(600_000)
    await look()
    expect(failures).toEqual([])
    const [next] = changes
    expect(await readEnrolled(dataDir)).toEqual(next)
    expect(next && serialOf(next)).not.toBe(serialOf(enrolled))
    expect(next?.notAfter).toBeGreaterThan(enrolled.notAfter + 19 * dayMs)
    expect(new X509Certificate(next?.certificate ?? '').checkPrivateKey(key.key)).toBe(true)
    await look()
    expect(changes).toHaveLength(1)
  })

  test('is asked for again and again, ever later; a person is told once, and once more when it is over', async () => {
    const enrolled = await enrolWith(read(await site.token('gw-21')))
    const { look } = await keep(enrolled, fails)
    site.advance(20 * dayMs)
    const tries: number[] = []
    for (let second = 0; second < 40; second += 1) {
      const before = failures.length
      await look()
      if (failures.length > before) tries.push(second)
      monotonic += 1_000
    }
    // Half of 1, 2, 4, 8, 8, … seconds.
    expect(tries).toEqual([0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 36])
    expect(troubles).toEqual(['CERTIFICATE_NOT_RENEWED'])
    site.advance(10 * dayMs)
    await look()
    await look()
    expect(troubles).toEqual(['CERTIFICATE_NOT_RENEWED', 'CERTIFICATE_EXPIRED'])
  })

  test('an expired one is healed by whoever enrols anew beside the running agent', async () => {
    const enrolled = await enrolWith(read(await site.token('gw-22')))
    const { look } = await keep(enrolled, fails)
    site.advance(31 * dayMs)
    await look()
    expect(troubles).toEqual(['CERTIFICATE_EXPIRED'])
    const anew = await enrolWith(read(await site.token('gw-22')))
    await look()
    expect(changes).toEqual([anew])
    site.advance(31 * dayMs)
    monotonic += 10_000
    await look()
    expect(troubles).toEqual(['CERTIFICATE_EXPIRED', 'CERTIFICATE_EXPIRED'])
  })

  test('an answer that comes after somebody has enrolled anew is dropped', async () => {
    const enrolled = await enrolWith(read(await site.token('gw-23')))
    let anew: Enrolled | undefined
    const { look } = await keep(enrolled, async (current, keys) => {
      const next = await renew(current, keys)
      anew = await enrolWith(read(await site.token('gw-23')))
      return next
    })
    site.advance(21 * dayMs)
    await look()
    expect(changes).toEqual([anew])
    expect(await readEnrolled(dataDir)).toEqual(anew)
  })

  test('a denied certificate is not renewed', async () => {
    const enrolled = await enrolWith(read(await site.token('gw-24')))
    await site.authority.deny(serialOf(enrolled).toLowerCase(), 'stolen')
    const { look } = await keep(enrolled)
    site.advance(21 * dayMs)
    await look()
    expect(failures).toMatchObject([{ code: 'DENIED' }])
    expect(changes).toEqual([])
  })

  test('a file that is gone ends nothing', async () => {
    const enrolled = await enrolWith(read(await site.token('gw-25')))
    const { look } = await keep(enrolled)
    await rm(`${dataDir}/identity/enrolment.json`)
    await look()
    expect([changes, failures]).toEqual([[], []])
  })
})
