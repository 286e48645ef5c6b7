import { createPublicKey, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { envelopeSchema, fromBase64, preAuthenticationEncoding } from '@imlma/protocol/trust'

/** Source: Dead Simple Signing Envelope 1.0, protocol.md, "Test Vectors": ECDSA over NIST P-256 and SHA-256. */
const vector = {
  payloadType: 'http://example.com/HelloWorld',
  payload: 'aGVsbG8gd29ybGQ=',
  signatures: [
    {
      keyid: '',
      sig: 'A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==',
    },
  ],
}
const x = 46950820868899156662930047687818585632848591499744589407958293238635476079160n
const y = 5640078356564379163099075877009565129882514886557779369047442380624545832820n

const coordinate = (value: bigint): string =>
  Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toString('base64url')

test('the public vector of DSSE verifies over the bytes that are signed here, and no other bytes do', () => {
  const envelope = envelopeSchema.parse(vector)
  const signed = preAuthenticationEncoding(envelope.payloadType, fromBase64(envelope.payload))
  expect(new TextDecoder().decode(signed)).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
  const key = createPublicKey({
    key: { kty: 'EC', crv: 'P-256', x: coordinate(x), y: coordinate(y) },
    format: 'jwk',
  })
  const verifies = (bytes: Uint8Array): boolean =>
    verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, fromBase64(envelope.signatures[0]?.sig ?? ''))
  expect(verifies(signed)).toBe(true)
  for (let position = 0; position < signed.length; position += 1) {
    expect(verifies(signed.map((byte, index) => (index === position ? byte ^ 1 : byte)))).toBe(false)
  }
})
