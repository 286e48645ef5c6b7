import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createSigner, generateKeyPair, toKeyId, verifySignature } from '../node/index.ts'
import { canonicalJson } from './canonical.ts'
import { parseEnvelope } from './envelope.ts'
import { cosignEnvelope, preAuthenticationEncoding, sealEnvelope } from './seal.ts'
import { openFirstRoot, openNextRoot } from './chain.ts'
import { rootPayloadType, type Role, type TrustRoot } from './root.ts'
import { openEnvelope } from './verify.ts'

const keys = Object.fromEntries(
  ['root', 'root2', 'release', 'director', 'technician', 'stranger'].map((name) => {
    const pair = generateKeyPair()
    return [name, { ...pair, keyid: toKeyId(pair.publicKey), signer: createSigner(pair.secretKey) }]
  }),
) as Record<
  string,
  ReturnType<typeof generateKeyPair> & { keyid: string; signer: ReturnType<typeof createSigner> }
>
const key = (name: string) => keys[name]!

const rootOf = (version: number, holders: Partial<Record<Role, string[]>> = {}, threshold = 1): TrustRoot => {
  const role = (name: Role) => ({
    keyids: (holders[name] ?? (name === 'agent' ? [] : [name])).map((holder) => key(holder).keyid),
    threshold: name === 'root' ? threshold : 1,
  })
  const named = Object.keys(keys).filter((name) => name !== 'stranger')
  return {
    v: 1,
    version,
    expiresAt: 4e12,
    keys: Object.fromEntries(
      named.map((name) => [
        key(name).keyid,
        { scheme: 'ed25519', public: Buffer.from(key(name).publicKey).toString('base64'), name },
      ]),
    ),
    roles: {
      root: role('root'),
      release: role('release'),
      director: role('director'),
      technician: role('technician'),
      agent: role('agent'),
    },
  }
}

const payloadType = 'application/vnd.imlma.test+json'
const schema = z.object({ word: z.string() })
const open = (envelope: Parameters<typeof openEnvelope>[0], role: Role = 'release', root = rootOf(1)) =>
  openEnvelope(envelope, { payloadType, schema, root, role, verify: verifySignature })
const codeOf = (result: { ok: boolean; refusal?: { code: string } }) => result.refusal?.code
const sealed = (...signers: string[]) =>
  sealEnvelope(
    payloadType,
    { word: 'hello' },
    signers.map((name) => key(name).signer),
  )

describe('an envelope', () => {
  test('is signed over the encoding of the DSSE specification', () => {
    const encoded = preAuthenticationEncoding(
      'http://example.com/HelloWorld',
      new TextEncoder().encode('hello world'),
    )
    expect(new TextDecoder().decode(encoded)).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
  })

  test('opens for the role whose key signed it', () => {
    expect(open(sealed('release'))).toEqual({ ok: true, value: { word: 'hello' } })
  })

  test('opens when one of several signatures is by the role', () => {
    expect(open(sealed('stranger', 'release')).ok).toBe(true)
  })

  test('is refused with the code that tells most', () => {
    expect(codeOf(open(sealed('stranger')))).toBe('UNKNOWN_KEY')
    expect(codeOf(open(sealed('director')))).toBe('NOT_AUTHORISED')
    expect(codeOf(open({ ...sealed('release'), payloadType: 'text/plain' }))).toBe('MALFORMED')
    const other = sealEnvelope(payloadType, { word: 'other' }, [key('release').signer])
    expect(codeOf(open({ ...sealed('release'), signatures: other.signatures }))).toBe('BAD_SIGNATURE')
  })

  test('is refused when a known name stands on a stranger’s signature', () => {
    const forged = sealed('stranger')
    const renamed = forged.signatures.map(({ sig }) => ({ keyid: key('release').keyid, sig }))
    expect(codeOf(open({ ...forged, signatures: renamed }))).toBe('BAD_SIGNATURE')
  })

  test('is refused after any change of any byte', () => {
    const bytes = new TextEncoder().encode(JSON.stringify(sealed('release')))
    let opened = 0
    for (let position = 0; position < bytes.length; position += 1) {
      const changed = Uint8Array.from(bytes)
      changed[position] = bytes[position]! ^ 0x01
      const parsed = parseEnvelope(changed)
      if (parsed.ok && open(parsed.value).ok) opened += 1
    }
    expect(opened).toBe(0)
  })

  test('needs two different keys where the threshold is two', () => {
    const root = rootOf(1)
    root.roles.release = { keyids: [key('release').keyid, key('director').keyid], threshold: 2 }
    const once = sealed('release')
    expect(codeOf(open(cosignEnvelope(once, [key('release').signer]), 'release', root))).toBe('BAD_SIGNATURE')
    expect(open(cosignEnvelope(once, [key('director').signer]), 'release', root).ok).toBe(true)
  })

  test('with a malleated signature is refused', () => {
    const envelope = sealed('release')
    const signature = Buffer.from(envelope.signatures[0]!.sig, 'base64')
    // S + L is the same number modulo the group order L, and must not verify (RFC 8032, "Verify").
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const s = BigInt(`0x${Buffer.from([...signature.subarray(32)].toReversed()).toString('hex')}`) + order
    const malleated = Buffer.from([...Buffer.from(s.toString(16).padStart(64, '0'), 'hex')].toReversed())
    const sig = Buffer.concat([signature.subarray(0, 32), malleated]).toString('base64')
    expect(codeOf(open({ ...envelope, signatures: [{ keyid: key('release').keyid, sig }] }))).toBe(
      'BAD_SIGNATURE',
    )
  })

  test('with a payload of another form is refused, though it is signed', () => {
    const envelope = sealEnvelope(payloadType, { word: 5 }, [key('release').signer])
    expect(codeOf(open(envelope))).toBe('MALFORMED')
  })

  test.each(['', '{}', '[]', 'null', '{"payloadType":"a","payload":"*","signatures":[]}'])(
    'is not %s',
    (text) => {
      expect(codeOf(parseEnvelope(new TextEncoder().encode(text)))).toBe('MALFORMED')
    },
  )
})

describe('the chain of trust roots', () => {
  const seal = (root: TrustRoot, ...signers: string[]) =>
    sealEnvelope(
      rootPayloadType,
      root,
      signers.map((name) => key(name).signer),
    )
  const next = (envelope: ReturnType<typeof seal>) => openNextRoot(rootOf(1), envelope, verifySignature)

  test('starts with a root that carries its own signature', () => {
    expect(openFirstRoot(seal(rootOf(1), 'root'), verifySignature).ok).toBe(true)
    expect(codeOf(openFirstRoot(seal(rootOf(1), 'release'), verifySignature))).toBe('NOT_AUTHORISED')
  })

  test('goes on with a root that old and new keys signed', () => {
    const moved = rootOf(2, { root: ['root2'] })
    expect(next(seal(moved, 'root', 'root2')).ok).toBe(true)
    expect(codeOf(next(seal(moved, 'root2')))).toBe('NOT_AUTHORISED')
    expect(codeOf(next(seal(moved, 'root')))).toBe('NOT_AUTHORISED')
    expect(codeOf(next(seal(moved, 'stranger')))).toBe('UNKNOWN_KEY')
  })

  test('skips no version and repeats none', () => {
    expect(codeOf(next(seal(rootOf(1), 'root')))).toBe('REPLAYED')
    expect(codeOf(next(seal(rootOf(3), 'root')))).toBe('REPLAYED')
  })

  test('needs the threshold of the new root as well', () => {
    const stricter = rootOf(2, { root: ['root', 'root2'] }, 2)
    expect(codeOf(next(seal(stricter, 'root')))).toBe('BAD_SIGNATURE')
    expect(next(seal(stricter, 'root', 'root2')).ok).toBe(true)
  })
})

describe('canonical JSON', () => {
  test('does not depend on the order of members', () => {
    expect(canonicalJson({ b: [1, { d: 2, c: null }], a: 'ä' })).toBe('{"a":"ä","b":[1,{"c":null,"d":2}]}')
    expect(canonicalJson({ a: undefined, b: 1e21 })).toBe('{"b":1e+21}')
  })

  test('refuses what JSON cannot say', () => {
    expect(() => canonicalJson(Number.NaN)).toThrow(TypeError)
    expect(() => canonicalJson([undefined])).toThrow(TypeError)
  })
})
