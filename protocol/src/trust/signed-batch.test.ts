import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import vector from '../../vectors/signed-batch.json' with { type: 'json' }
import { limits } from '../limits.ts'
import { createSigner, generateKeyPair, verifyEd25519 } from '../node/index.ts'
import { encodeCbor, parseCborMessage, readingBatchSchema } from '../wire/index.ts'
import {
  batchSignatureBytes,
  bearsSignature,
  claimedSignature,
  signBatch,
  toSignedBytes,
  verifyBatch,
} from './signed-batch.ts'

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

const address = { site: vector.site, agent: vector.agent }
const publicKey = fromHex(vector.publicKey)
const signer = createSigner(fromHex(vector.secretKey))
const verify = (bytes: Uint8Array, signature: Uint8Array) => verifyEd25519(publicKey, bytes, signature)
const packet = fromHex(vector.packet)

/** What a coordinator believes of a packet: signature first, then the same bytes as a batch that carries it. */
const open = (bytes: Uint8Array, from = address) => {
  const verified = verifyBatch(from, bytes, verify)
  if (!verified.ok) return verified.refusal.code
  const parsed = parseCborMessage(readingBatchSchema, bytes, limits.packetBytesMax)
  if (!parsed.ok) return parsed.refusal.code
  return bearsSignature(parsed.value, verified.value) ? parsed.value : 'NOT_BORNE'
}

test('a batch is signed to the byte as the vector says', () => {
  expect(toHex(signBatch(address, fromHex(vector.front), signer))).toBe(vector.packet)
  expect(toHex(toSignedBytes(address, packet))).toBe(vector.signed)
  expect(claimedSignature(packet)).toEqual({ keyid: vector.keyid, sig: fromHex(vector.signature) })
  expect(fromHex(vector.packet).length - fromHex(vector.front).length).toBe(batchSignatureBytes)
})

test('a signed batch is read as the vector says, also by who knows no signatures', () => {
  const [series] = vector.batch.series
  const expected = {
    ...vector.batch,
    series: [
      {
        ...series,
        values: Float32Array.from(series!.values),
        quality: expect.objectContaining({ 0: 0, 1: 1, length: 2 }),
      },
    ],
  }
  expect(open(packet)).toMatchObject(expected)
  const unaware = z.object({ v: z.literal(1), seq: z.number() })
  expect(parseCborMessage(unaware, packet, limits.packetBytesMax)).toEqual({
    ok: true,
    value: { v: 1, seq: vector.batch.seq },
  })
})

test('a single bit that flips anywhere in a packet refuses it', () => {
  for (let at = 0; at < packet.length; at += 1) {
    for (let bit = 1; bit < 256; bit *= 2) {
      const changed = packet.slice()
      changed[at]! ^= bit
      expect(['BAD_SIGNATURE', 'NOT_SIGNED']).toContain(open(changed))
    }
  }
})

test('a packet that was cut, or that something was added to, is refused', () => {
  for (let length = 0; length < packet.length; length += 1) {
    expect(['BAD_SIGNATURE', 'NOT_SIGNED']).toContain(open(packet.subarray(0, length)))
    expect(['BAD_SIGNATURE', 'NOT_SIGNED']).toContain(open(packet.subarray(length + 1)))
  }
  expect(open(Uint8Array.of(...packet, 0))).toBe('NOT_SIGNED')
  expect(open(Uint8Array.of(0, ...packet))).toBe('BAD_SIGNATURE')
})

test.each([
  ['another agent', { site: 'north', agent: 'gw-2' }],
  ['another site', { site: 'south', agent: 'gw-1' }],
  ['a name that begins alike', { site: 'north', agent: 'gw-11' }],
])('a batch that arrives as %s’s is refused', (_, from) => {
  expect(open(packet, from)).toBe('BAD_SIGNATURE')
})

test('a batch under another sequence needs another signature', () => {
  const again = encodeCbor({ ...vector.batch, seq: 8, series: [], signature: 0 }).subarray(0, -11)
  const moved = Uint8Array.of(...again, ...packet.subarray(-batchSignatureBytes))
  expect(open(moved)).toBe('BAD_SIGNATURE')
})

test('without a signature, with another key and too large are told apart', () => {
  expect(open(encodeCbor({ ...vector.batch, series: [] }))).toBe('NOT_SIGNED')
  expect(open(signBatch(address, fromHex(vector.front), createSigner(generateKeyPair().secretKey)))).toBe(
    'BAD_SIGNATURE',
  )
  expect(open(new Uint8Array(limits.packetBytesMax + 1))).toBe('TOO_LARGE')
})

test('a key id that is not hexadecimal is no signature', () => {
  const odd = packet.slice()
  odd[packet.length - batchSignatureBytes + 19] = 0x47
  expect(claimedSignature(odd)).toBeUndefined()
})

/** The map's head, its entries one after the other as they are given, and a true signature of all that. */
const signedMap = (count: number, ...entries: readonly [string, unknown][]) =>
  signBatch(
    address,
    Buffer.concat([
      Uint8Array.of(0xa0 + count),
      ...entries.flatMap(([name, value]) => [encodeCbor(name), encodeCbor(value)]),
    ]),
    signer,
  )
const header = Object.entries({ v: 1, seq: 1, sentAt: 0, historical: false, series: [] })
const other = { keyid: vector.keyid, sig: new Uint8Array(64) }

test('odd CBOR never makes the batch that is read another than the one that was signed', () => {
  expect(open(signedMap(6, ...header))).toMatchObject({ seq: 1 })
  // Signed by the true key, so only what is read matters.
  expect(open(signedMap(5, ...header)), 'the map ends before the signature').toBe('MALFORMED')
  expect(open(signedMap(7, ...header)), 'the map goes on behind it').toBe('MALFORMED')
  const twice = open(signedMap(7, ['signature', other], ...header))
  expect(twice, 'of two signatures the verified one counts').toMatchObject({ seq: 1 })
  // The signature's bytes inside of a string, behind a map that carries another one.
  const entry = batchSignatureBytes
  const front = Buffer.concat([
    Uint8Array.of(0xa7),
    ...[...header, ['signature', other] as const].flatMap(([k, v]) => [encodeCbor(k), encodeCbor(v)]),
    encodeCbor('note'),
    Uint8Array.of(0x58, entry),
  ])
  expect(open(signBatch(address, front, signer)), 'the signature is inside of a string').toBe('NOT_BORNE')
  const bare = Buffer.concat([
    Uint8Array.of(0xa6),
    ...header.flatMap(([k, v]) => [encodeCbor(k), encodeCbor(v)]),
    encodeCbor('note'),
    Uint8Array.of(0x58, entry),
  ])
  expect(open(signBatch(address, bare, signer)), 'there is no signature in the map').toBe('NOT_BORNE')
})

test('no bytes break the verification, and none are believed without the key', () => {
  const tail = packet.subarray(-batchSignatureBytes)
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.uint8Array({ maxLength: 200 }).map((front) => Uint8Array.of(...front, ...tail)),
  )
  fc.assert(
    fc.property(bytes, (any) => {
      expect(['BAD_SIGNATURE', 'NOT_SIGNED']).toContain(open(any))
    }),
    { seed: 4, numRuns: 1_000 },
  )
})
