import { expect, test } from 'vitest'
import { createSigner, generateKeyPair, toKeyId, verifySignature } from '../node/index.ts'
import { toBase64 } from './base64.ts'
import { certificationPayloadType, openCertification, type Certification } from './certification.ts'
import type { TrustRoot } from './root.ts'
import { sealEnvelope } from './seal.ts'

const newKey = () => {
  const { publicKey, secretKey } = generateKeyPair()
  return { public: toBase64(publicKey), keyid: toKeyId(publicKey), signer: createSigner(secretKey) }
}
const [enrolment, director, own] = [newKey(), newKey(), newKey()]

const nobody = { keyids: [], threshold: 1 }
const root: TrustRoot = {
  v: 1,
  version: 1,
  expiresAt: 1e15,
  keys: Object.fromEntries(
    [enrolment, director].map((key) => [key.keyid, { scheme: 'ed25519', public: key.public, name: '' }]),
  ),
  roles: {
    root: nobody,
    release: nobody,
    technician: nobody,
    director: { keyids: [director.keyid], threshold: 1 },
    agent: { keyids: [enrolment.keyid], threshold: 1 },
  },
}
const certification: Certification = {
  v: 1,
  site: 'north',
  agent: 'gw-1',
  keyid: own.keyid,
  public: own.public,
  serial: 'ab'.repeat(16),
  issuedAt: 1_000,
  expiresAt: 2_000,
}
const seal = (change: object = {}, { signer } = enrolment, payloadType = certificationPayloadType) =>
  sealEnvelope(payloadType, { ...certification, ...change }, [signer])
const terms = { root, verify: verifySignature, site: 'north', agent: 'gw-1' }

test('a key that role agent has certified is this agent’s', () => {
  expect(openCertification(seal(), { ...terms, at: 1_999 })).toEqual({ ok: true, value: certification })
  expect(openCertification(seal(), terms).ok).toBe(true)
})

test.each([
  ['by the director', seal({}, director), {}, 'NOT_AUTHORISED'],
  ['by the agent itself', seal({}, own), {}, 'UNKNOWN_KEY'],
  ['as something else', seal({}, enrolment, 'application/vnd.imlma.command+json'), {}, 'MALFORMED'],
  ['of another agent', seal({ agent: 'gw-2' }), {}, 'WRONG_TARGET'],
  ['of another site', seal({ site: 'south' }), {}, 'WRONG_TARGET'],
  ['when it has ended', seal(), { at: 2_000 }, 'EXPIRED'],
  ['that ends before it begins', seal({ expiresAt: 1_000 }), {}, 'MALFORMED'],
  ['with a public key of another length', seal({ public: toBase64(new Uint8Array(31)) }), {}, 'MALFORMED'],
  ['with a key id that is none', seal({ keyid: own.keyid.toUpperCase() }), {}, 'MALFORMED'],
  ['without a serial', seal({ serial: '' }), {}, 'MALFORMED'],
  ['of another version', seal({ v: 2 }), {}, 'MALFORMED'],
])('a certification %s is refused', (_, envelope, more, code) => {
  expect(openCertification(envelope, { ...terms, ...more })).toMatchObject({ ok: false, refusal: { code } })
})

test('a certification that was changed after it was signed is refused', () => {
  const envelope = seal()
  const payload = seal({ agent: 'gw-2' }).payload
  expect(openCertification({ ...envelope, payload }, { ...terms, agent: 'gw-2' })).toMatchObject({
    refusal: { code: 'BAD_SIGNATURE' },
  })
})
