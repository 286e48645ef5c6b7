import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSigner, generateKeyPair, sha256, verifyEd25519 } from '@imlma/protocol/node'
import { signBatch } from '@imlma/protocol/trust'
import { encodeCbor, parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createReadingsStore } from '../storage/readings.sqlite.ts'
import type { ReadingsStore } from '../storage/readings.ts'
import { verifyProvenance } from './verify-provenance.crypto.ts'

const day = 86_400_000
const keys = [generateKeyPair(), generateKeyPair()]
const signers = keys.map(({ secretKey }) => createSigner(secretKey))
const publicOf = new Map(signers.map(({ keyid }, i) => [keyid, keys[i]!.publicKey]))

let folder: string
let path: string
let store: ReadingsStore

const accept = (seq: number, signer = signers[0]!, receivedAt = 0, values = [seq]) => {
  const series = [
    { meter: 'm', register: 'r', interval: 1_000, start: seq * 1_000, values: Float32Array.from(values) },
  ]
  const body = { v: 1, seq, sentAt: 0, historical: false, series, signature: 0 }
  const bytes = signBatch({ site: 'demo', agent: 'gw-1' }, encodeCbor(body).subarray(0, -11), signer)
  const batch = parseCborMessage(readingBatchSchema, bytes, 1e6)
  if (!batch.ok) throw new Error(batch.refusal.message)
  const proof = { keyid: signer.keyid, digest: Buffer.from(sha256(bytes), 'hex') }
  store.accept([{ site: 'demo', agent: 'gw-1', receivedAt, bytes, batch: batch.value, proof }])
}
const recordOf = () => {
  const signed = store.signedHistory('demo', 'gw-1')!
  return [{ agent: 'gw-1', firstSeq: 1, lastSeq: 9, signed: { ...signed, keyids: [...signed.keyids] } }]
}
const verifierOf = (_agent: string, keyid: string) => {
  const publicKey = publicOf.get(keyid)
  return (
    publicKey && ((bytes: Uint8Array, signature: Uint8Array) => verifyEd25519(publicKey, bytes, signature))
  )
}
const verify = (record: Parameters<typeof verifyProvenance>[2][number]['provenance'], parts: object = {}) =>
  verifyProvenance({ readings: store, verifierOf, ...parts }, 'demo', [{ sha256: 'd1', provenance: record }])

/** As somebody would who has the file. */
const tamper = (sql: string, ...values: unknown[]) => {
  const database = new Database(path)
  database.prepare(sql).run(...values)
  database.close()
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-provenance-'))
  path = join(folder, 'readings.db')
  store = createReadingsStore(path, { retentionDays: 1 })
})
afterEach(() => {
  store.close()
  rmSync(folder, { recursive: true })
})

test('a dataset is traced back to the signature of each batch, by both keys, in any order of arrival', () => {
  for (const seq of [1, 3, 2]) accept(seq)
  accept(4, signers[1])
  const record = recordOf()
  expect(record[0]!.signed).toMatchObject({
    batches: 4,
    firstSeq: 1,
    lastSeq: 4,
    keyids: signers.map((s) => s.keyid),
  })
  // What comes later changes nothing of it.
  accept(5)
  expect(verify(record)).toEqual({
    agents: [{ agent: 'gw-1', batches: 4, signaturesVerified: 4, digestOnly: 0 }],
    unsigned: [],
    mismatches: [],
  })
})

test('the chain goes over pages, and holds after old batches were pruned', () => {
  for (let seq = 1; seq <= 150; seq += 1) accept(seq)
  const record = recordOf()
  accept(151, signers[0], 2 * day)
  store.fold(1_000)
  accept(152, signers[0], 2 * day)
  expect(verify(record)).toMatchObject({
    agents: [{ batches: 150, signaturesVerified: 0, digestOnly: 150 }],
    mismatches: [],
  })
  expect(verify(recordOf())).toMatchObject({
    agents: [{ batches: 152, signaturesVerified: 2, digestOnly: 150 }],
    mismatches: [],
  })
})

test('an agent of an open site is named as unsigned', () => {
  expect(verify([{ agent: 'gw-9', firstSeq: 1, lastSeq: 2 }])).toMatchObject({
    unsigned: ['gw-9'],
    mismatches: [],
  })
})

test.each<[string, () => void, string]>([
  ['a batch was removed', () => tamper('DELETE FROM signed_batches WHERE position = 2'), 'PROVENANCE_BROKEN'],
  [
    'the last batch was removed',
    () => tamper('DELETE FROM signed_batches WHERE position = 3'),
    'PROVENANCE_BROKEN',
  ],
  [
    'a digest was changed',
    () => tamper('UPDATE signed_batches SET digest = zeroblob(32) WHERE position = 1'),
    'PROVENANCE_BROKEN',
  ],
  [
    'a batch was changed',
    () => tamper('UPDATE batches SET bytes = zeroblob(300) WHERE seq = 2'),
    'PROVENANCE_BROKEN',
  ],
  [
    'a batch was put under another key',
    () => tamper(`UPDATE signing_keys SET keyid = '${signers[1]!.keyid}'`),
    'BAD_SIGNATURE',
  ],
  [
    'two batches were exchanged',
    () => {
      tamper('UPDATE signed_batches SET position = -position')
      tamper(
        'UPDATE signed_batches SET position = CASE position WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE -position END',
      )
    },
    'PROVENANCE_BROKEN',
  ],
])('it is found when %s', (_, change, code) => {
  for (const seq of [1, 2, 3]) accept(seq)
  const record = recordOf()
  expect(verify(record).mismatches).toEqual([])
  change()
  expect(verify(record)).toMatchObject({ mismatches: [{ dataset: 'd1', agent: 'gw-1', code }] })
})

test.each([
  ['head', { head: '0'.repeat(64) }],
  ['number of batches', { batches: 2 }],
  ['first sequence', { firstSeq: 2 }],
  ['last sequence', { lastSeq: 4 }],
  ['keys', { keyids: [signers[1]!.keyid] }],
])('a record with another %s does not hold', (_, change) => {
  for (const seq of [1, 2, 3]) accept(seq)
  const [one] = recordOf()
  expect(verify([{ ...one!, signed: { ...one!.signed, ...change } }])).toMatchObject({
    mismatches: [{ code: 'PROVENANCE_BROKEN' }],
  })
})

test('a key that the trust roots do not certify proves nothing', () => {
  accept(1)
  expect(verify(recordOf(), { verifierOf: () => undefined })).toMatchObject({
    mismatches: [{ code: 'UNKNOWN_KEY' }],
  })
})

test('of several datasets only those are named that a fault concerns, and each batch counts once', () => {
  const claims: Parameters<typeof verifyProvenance>[2][number][] = []
  for (const seq of [1, 2, 3]) {
    accept(seq)
    claims.push({ sha256: `d${seq}`, provenance: recordOf() })
  }
  const parts = { readings: store, verifierOf }
  expect(verifyProvenance(parts, 'demo', claims)).toMatchObject({
    agents: [{ batches: 3, signaturesVerified: 3 }],
    mismatches: [],
  })
  tamper('UPDATE batches SET bytes = zeroblob(300) WHERE seq = 2')
  const { mismatches } = verifyProvenance(parts, 'demo', claims)
  expect(mismatches.map(({ dataset }) => dataset)).toEqual(['d2', 'd3'])
})
