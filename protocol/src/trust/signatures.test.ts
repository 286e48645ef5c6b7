import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createMlDsaSigner,
  createSigner,
  generateKeyPair,
  generateMlDsaKeyPair,
  toKeyId,
  verifySignature,
} from '../node/index.ts'
import { toBase64 } from './base64.ts'
import { openFirstRoot } from './chain.ts'
import { envelopeSchema, type Envelope } from './envelope.ts'
import { cosignEnvelope, sealEnvelope, type Signer } from './seal.ts'
import { rootPayloadType, rootSchema, type TrustRoot } from './root.ts'
import { openEnvelope } from './verify.ts'

/** A holder with both keys. */
const newHolder = (name: string) => {
  const classic = generateKeyPair()
  const lattice = generateMlDsaKeyPair()
  const companion = createMlDsaSigner(lattice.secretKey)
  const alone = createSigner(classic.secretKey)
  const entries: TrustRoot['keys'] = {
    [alone.keyid]: {
      scheme: 'ed25519',
      public: toBase64(classic.publicKey),
      name,
      companion: companion.keyid,
    },
    [companion.keyid]: { scheme: 'ml-dsa-65', public: toBase64(lattice.publicKey), name },
  }
  const signer: Signer = { ...alone, companion }
  return { keyid: alone.keyid, alone, companion, signer, entries }
}
const ada = newHolder('Ada')
const ben = newHolder('Ben')
const adaToo = newHolder(' ada')

const rootOf = (changes: Partial<TrustRoot['roles']['release']> = {}): TrustRoot => {
  const nobody = { keyids: [], threshold: 1 }
  return {
    v: 1,
    version: 1,
    expiresAt: 4e12,
    keys: { ...ada.entries, ...ben.entries, ...adaToo.entries },
    roles: {
      root: { keyids: [ada.keyid], threshold: 1 },
      release: {
        keyids: [ada.keyid, ben.keyid, adaToo.keyid],
        threshold: 1,
        schemes: ['ed25519', 'ml-dsa-65'],
        ...changes,
      },
      director: nobody,
      technician: nobody,
      agent: nobody,
    },
  }
}

const payloadType = 'application/vnd.imlma.test+json'
const schema = z.object({ word: z.string() })
const seal = (...signers: Signer[]) => sealEnvelope(payloadType, { word: 'hello' }, signers)
const open = (envelope: Envelope, root = rootOf()) =>
  openEnvelope(envelope, { payloadType, schema, root, role: 'release', verify: verifySignature })
const codeOf = (result: ReturnType<typeof open>) => (result.ok ? 'opened' : result.refusal.code)
const withSignatures = (envelope: Envelope, signatures: Envelope['signatures']) => ({
  ...envelope,
  signatures,
})

describe('a role that asks for ML-DSA-65 beside Ed25519', () => {
  test('opens what both keys of a holder signed', () => {
    expect(codeOf(open(seal(ada.signer)))).toBe('opened')
    expect(rootSchema.safeParse(rootOf()).success).toBe(true)
  })

  test('refuses either half alone, and halves of two people', () => {
    expect(open(seal(ada.alone))).toMatchObject({
      refusal: { code: 'BAD_SIGNATURE', message: expect.stringContaining('1 lack') },
    })
    expect(codeOf(open(seal(ada.companion)))).toBe('BAD_SIGNATURE')
    expect(codeOf(open(seal(ada.alone, ben.companion)))).toBe('BAD_SIGNATURE')
  })

  test('refuses a half that was changed, taken from another document, or put under the other key', () => {
    const whole = seal(ada.signer)
    const [classic, lattice] = whole.signatures
    const other = sealEnvelope(payloadType, { word: 'other' }, [ada.companion]).signatures
    expect(codeOf(open(withSignatures(whole, [classic!, ...other])))).toBe('BAD_SIGNATURE')
    const swapped = [
      { keyid: classic!.keyid, sig: lattice!.sig },
      { keyid: lattice!.keyid, sig: classic!.sig },
    ]
    expect(codeOf(open(withSignatures(whole, swapped)))).toBe('BAD_SIGNATURE')
    const changed = {
      ...lattice!,
      sig: `${lattice!.sig.startsWith('A') ? 'B' : 'A'}${lattice!.sig.slice(1)}`,
    }
    expect(codeOf(open(withSignatures(whole, [classic!, changed])))).toBe('BAD_SIGNATURE')
  })

  test('is no matter to a role that does not ask for it', () => {
    const classic = rootOf({ schemes: ['ed25519'] })
    expect(codeOf(open(seal(ada.alone), classic))).toBe('opened')
    expect(codeOf(open(seal(ada.signer), classic))).toBe('opened')
    expect(codeOf(open(seal(ada.companion), classic))).toBe('BAD_SIGNATURE')
  })
})

describe('a threshold of two', () => {
  const two = rootOf({ threshold: 2 })

  test('takes two people', () => {
    expect(codeOf(open(seal(ada.signer, ben.signer), two))).toBe('opened')
  })

  test('counts one signature that stands there several times once', () => {
    const { signatures, ...envelope } = seal(ada.signer)
    expect(codeOf(open({ ...envelope, signatures: [...signatures, ...signatures] }, two))).toBe(
      'BAD_SIGNATURE',
    )
  })

  test('counts two keys of one person once, however the name is written', () => {
    expect(codeOf(open(seal(ada.signer, adaToo.signer), two))).toBe('BAD_SIGNATURE')
  })

  test('is not reached by whole and half', () => {
    expect(codeOf(open(seal(ada.signer, ben.alone), two))).toBe('BAD_SIGNATURE')
  })

  test('who signs again replaces the own signature', () => {
    const once = seal(ada.signer)
    expect(cosignEnvelope(once, [ada.signer]).signatures).toHaveLength(2)
    expect(cosignEnvelope(once, [ben.signer]).signatures).toHaveLength(4)
  })
})

describe('a trust root that contradicts itself is refused', () => {
  const entry = ada.entries[ada.keyid]!
  const cases: readonly (readonly [string, (root: TrustRoot) => void])[] = [
    ['one key under two ids', (root) => (root.keys['0'.repeat(64)] = { ...entry, companion: undefined })],
    ['a companion that is not there', (root) => (root.keys[ada.keyid]!.companion = '0'.repeat(64))],
    ['a companion of the same scheme', (root) => (root.keys[ada.keyid]!.companion = ben.keyid)],
    ['a shared companion', (root) => (root.keys[ada.keyid]!.companion = ben.companion.keyid)],
    ['a holder without the companion asked for', (root) => delete root.keys[ada.keyid]!.companion],
    ['a role held by a companion', (root) => root.roles.director.keyids.push(ada.companion.keyid)],
    ['a public key of another length', (root) => (root.keys[ada.keyid]!.scheme = 'ml-dsa-65')],
    ['a role that does not ask for Ed25519', (root) => (root.roles.release.schemes = ['ml-dsa-65'])],
  ]
  test.each(cases)('%s', (_name, change) => {
    const root = structuredClone(rootOf())
    change(root)
    expect(rootSchema.safeParse(root).success).toBe(false)
  })

  test('a scheme that nobody here knows, in words that say what to do', () => {
    const root = structuredClone(rootOf()) as unknown as { keys: Record<string, { scheme: string }> }
    root.keys[ada.keyid]!.scheme = 'slh-dsa-128s'
    const envelope = sealEnvelope(rootPayloadType, root, [ada.signer])
    expect(openFirstRoot(envelope, verifySignature)).toMatchObject({
      refusal: { code: 'MALFORMED', message: expect.stringMatching(/slh-dsa-128s is not known.*update/) },
    })
  })

  test('a key under an id that is not its digest never verifies', () => {
    const root = structuredClone(rootOf({ schemes: ['ed25519'] }))
    const wrong = 'f'.repeat(64)
    root.keys[wrong] = { ...root.keys[ada.keyid]! }
    delete root.keys[ada.keyid]
    root.roles.release.keyids = [wrong]
    const forged = seal({ keyid: wrong, sign: ada.alone.sign })
    expect(codeOf(open(forged, root))).toBe('BAD_SIGNATURE')
  })
})

describe('a scheme', () => {
  test('that is not in the table verifies nothing', () => {
    const bytes = new Uint8Array(3)
    const publicKey = generateKeyPair().publicKey
    const key = { keyid: toKeyId(publicKey), scheme: 'constructor' as never, publicKey }
    expect(verifySignature(key, bytes, new Uint8Array(64))).toBe(false)
  })
})

describe('base64 has one spelling', () => {
  const whole = seal(ada.alone)
  const parses = (sig: string) =>
    envelopeSchema.safeParse(withSignatures(whole, [{ keyid: ada.keyid, sig }])).success
  const { sig } = whole.signatures[0]!

  test.each([
    ['as it was made', (text: string) => text, true],
    [
      'with bits that belong to no byte',
      (text: string) => `${text.slice(0, -3)}${bitMore(text.at(-3)!)}==`,
      false,
    ],
    ['without padding', (text: string) => text.replace(/=+$/, ''), false],
    ['with white space', (text: string) => `${text} `, false],
    ['with a line break inside', (text: string) => `${text.slice(0, 4)}\n${text.slice(4)}`, false],
    ['of the URL-safe alphabet', () => `${'-_-_'.repeat(21)}AA==`, false],
  ])('%s', (_name, change, accepted) => {
    expect(parses(change(sig))).toBe(accepted)
  })

  test('also over the longest payload', () => {
    const payload = 'A'.repeat(524_288)
    expect(envelopeSchema.safeParse({ ...whole, payload }).success).toBe(true)
    expect(envelopeSchema.safeParse({ ...whole, payload: `${payload}AAAA` }).success).toBe(false)
  })
})

const bitMore = (character: string): string => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return alphabet[alphabet.indexOf(character) + 1]!
}
