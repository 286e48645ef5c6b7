import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSigner, generateKeyPair, sha256, toKeyId, verifySignature } from '../node/index.ts'
import {
  auditEntrySchema,
  auditHeadOf,
  chainEntry,
  emptyAuditHead,
  entryFault,
  openCheckpoint,
  sealCheckpoint,
  type AuditEntry,
  type Checkpoint,
} from './index.ts'

const factOf = (text: string) => ({ kind: 'alarm', details: { text, value: 1.5, told: true, code: null } })

const chainOf = (texts: readonly string[]): readonly AuditEntry[] => {
  let head = emptyAuditHead
  return texts.map((text, index) => {
    const entry = chainEntry(head, factOf(text), 1_000 + index, sha256)
    head = auditHeadOf(entry)
    return entry
  })
}

const firstFault = (entries: readonly AuditEntry[]): string | undefined => {
  let head = emptyAuditHead
  for (const entry of entries) {
    const fault = entryFault(head, entry, sha256)
    if (fault !== undefined) return fault
    head = auditHeadOf(entry)
  }
  return undefined
}

describe('the chain of a log', () => {
  test('holds as it was written, also after a way through JSON', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 20 }), (texts) => {
        const entries = chainOf(texts)
        expect(firstFault(entries)).toBeUndefined()
        const travelled = entries.map((entry) => auditEntrySchema.parse(JSON.parse(JSON.stringify(entry))))
        expect(firstFault(travelled)).toBeUndefined()
      }),
      { seed: 4, numRuns: 30 },
    )
  })

  test('breaks where an entry is changed, removed, inserted, moved or given another time', () => {
    const entries = chainOf(['a', 'b', 'c', 'd'])
    const [a, b, c, d] = entries as [AuditEntry, AuditEntry, AuditEntry, AuditEntry]
    expect(firstFault([a, { ...b, fact: factOf('x') }, c, d])).toMatch(/entry 2 was changed/)
    expect(firstFault([a, { ...b, at: b.at + 1 }, c, d])).toMatch(/entry 2 was changed/)
    expect(firstFault([a, c, d])).toMatch(/entry 3 stands behind 1/)
    expect(firstFault([a, b, b, c])).toMatch(/entry 2 stands behind 2/)
    expect(firstFault([a, c, b, d])).toMatch(/entry 3 stands behind 1/)
    const forged = chainEntry(auditHeadOf(a), factOf('forged'), 1, sha256)
    expect(firstFault([a, forged, c, d])).toMatch(/entry 3 does not follow/)
  })

  test('refuses details that are no flat facts', () => {
    const [entry] = chainOf(['a']) as [AuditEntry]
    const withDetails = (details: unknown) =>
      auditEntrySchema.safeParse({ ...entry, fact: { ...entry.fact, details } }).success
    expect(withDetails({ a: { b: 1 } })).toBe(false)
    expect(withDetails({ a: 'x'.repeat(501) })).toBe(false)
    expect(withDetails(Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`k${i}`, i])))).toBe(false)
    expect(withDetails({ a: 1 })).toBe(true)
  })
})

describe('a checkpoint', () => {
  const { publicKey, secretKey } = generateKeyPair()
  const key = { keyid: toKeyId(publicKey), scheme: 'ed25519' as const, publicKey }
  const checkpoint: Checkpoint = {
    v: 1,
    site: 'demo',
    agent: 'gw-1',
    log: 'log-1',
    head: { seq: 3, hash: 'a'.repeat(64) },
    at: 5,
  }
  const envelope = sealCheckpoint(checkpoint, createSigner(secretKey))

  test('says where the log stood, by the key that signed it', () => {
    expect(openCheckpoint(envelope, [key], verifySignature)).toEqual({
      ok: true,
      value: { ...checkpoint, keyid: key.keyid },
    })
  })

  test('is refused when it was changed, or is by nobody who is known', () => {
    const payload = btoa(JSON.stringify({ ...checkpoint, head: { seq: 2, hash: 'b'.repeat(64) } }))
    expect(openCheckpoint({ ...envelope, payload }, [key], verifySignature)).toMatchObject({
      refusal: { code: 'BAD_SIGNATURE' },
    })
    expect(openCheckpoint(envelope, [], verifySignature)).toMatchObject({ refusal: { code: 'UNKNOWN_KEY' } })
    expect(openCheckpoint({ ...envelope, payloadType: 'text/plain' }, [key], verifySignature)).toMatchObject({
      refusal: { code: 'MALFORMED' },
    })
  })
})
