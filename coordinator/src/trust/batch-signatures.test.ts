import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '@imlma/protocol/limits'
import { signBatch, verifyBatch } from '@imlma/protocol/trust'
import { encodeCbor } from '@imlma/protocol/wire'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openAgentKeys, openVerifiers } from './agent-keys.fs.ts'
import { createBatchSignatures } from './batch-signatures.crypto.ts'
import {
  newSigningAgent,
  openCertifiedAgents,
  type CertifiedAgents,
  type SigningAgent,
} from './testing/certified-agents.fs.ts'

const gw1 = { site: 'demo', agent: 'gw-1' }
const gw2 = { site: 'demo', agent: 'gw-2' }
const front = encodeCbor({ v: 1, seq: 1, sentAt: 0, historical: false, series: [], signature: 0 }).subarray(
  0,
  -11,
)

let site: CertifiedAgents
let key: SigningAgent
let clock: number
let denied: ReadonlySet<string>
let trouble: unknown[]
let verify: ReturnType<typeof createBatchSignatures>

beforeEach(async () => {
  site = await openCertifiedAgents()
  key = newSigningAgent()
  await site.certify(gw1, key)
  clock = 0
  denied = new Set()
  trouble = []
  const keys = openAgentKeys(site.folder, () => clock)
  verify = createBatchSignatures({ keys, denied: () => denied, onTrouble: (error) => trouble.push(error) })
})
afterEach(() => site.close())

const signed = (agent = gw1, by = key) => signBatch(agent, front, by.signer)
const codeOf = async (packet: Uint8Array, agent = gw1, at = 0) => {
  const answer = await verify(agent, packet, at)
  return answer.ok ? 'VERIFIED' : answer.refusal.code
}

test('a batch that is signed by a certified key is verified', async () => {
  expect(await verify(gw1, signed(), 0)).toMatchObject({
    ok: true,
    value: { keyid: key.signer.keyid, expiresAt: 8e15, digest: { length: 32 } },
  })
})

test('each way of not being the agent’s has its code', async () => {
  const stranger = newSigningAgent()
  expect(await codeOf(encodeCbor({ v: 1 }))).toBe('NOT_SIGNED')
  expect(await codeOf(new Uint8Array(limits.packetBytesMax + 1))).toBe('TOO_LARGE')
  expect(await codeOf(signed(gw1, stranger))).toBe('UNKNOWN_KEY')
  expect(await codeOf(signed(gw2), gw1)).toBe('BAD_SIGNATURE')
  // A true key, of another agent.
  await site.certify(gw2, stranger)
  clock += 2_000
  expect(await codeOf(signed(gw1, stranger))).toBe('UNKNOWN_KEY')
  expect(await codeOf(signed(gw2, stranger), gw2)).toBe('VERIFIED')
  expect(await codeOf(signed(), gw2)).toBe('UNKNOWN_KEY')
  expect(await codeOf(signed(), { site: 'other', agent: 'gw-1' })).toBe('UNKNOWN_KEY')
})

test('a certification that is not signed by the site, or lies in the wrong place, counts for nothing', async () => {
  const other = newSigningAgent()
  await site.certify(gw1, other, {}, other.signer)
  expect(await codeOf(signed(gw1, other))).toBe('UNKNOWN_KEY')
  const third = newSigningAgent()
  await site.certify(gw1, third, { agent: 'gw-2' })
  await site.certify(gw1, newSigningAgent(), { public: third.public })
  await writeFile(join(site.folder, 'agents', 'demo.gw-1', `${'0'.repeat(64)}.json`), 'none of ours')
  clock += 2_000
  expect(await codeOf(signed(gw1, third))).toBe('UNKNOWN_KEY')
  expect(await codeOf(signed())).toBe('VERIFIED')
})

test('two keys of an agent overlap, and the old one ends by itself', async () => {
  await site.certify(gw1, key, { expiresAt: 1_000 })
  const next = newSigningAgent()
  await site.certify(gw1, next)
  expect([await codeOf(signed(), gw1, 999), await codeOf(signed(gw1, next), gw1, 999)]).toEqual([
    'VERIFIED',
    'VERIFIED',
  ])
  expect([await codeOf(signed(), gw1, 1_000), await codeOf(signed(gw1, next), gw1, 1_000)]).toEqual([
    'EXPIRED',
    'VERIFIED',
  ])
})

test('a key is found within a second after it was certified, and a renewal within a minute', async () => {
  const next = newSigningAgent()
  expect(await codeOf(signed(gw1, next))).toBe('UNKNOWN_KEY')
  await site.certify(gw1, next)
  expect(await codeOf(signed(gw1, next))).toBe('UNKNOWN_KEY')
  clock += 1_000
  expect(await codeOf(signed(gw1, next))).toBe('VERIFIED')
  await site.certify(gw1, next, { expiresAt: 5_000 })
  expect(await codeOf(signed(gw1, next), gw1, 6_000)).toBe('VERIFIED')
  clock += 60_000
  expect(await codeOf(signed(gw1, next), gw1, 6_000)).toBe('EXPIRED')
})

test('a flood of unknown keys is one look at the disk', async () => {
  const folder = join(site.folder, 'agents', 'demo.gw-1')
  expect(await codeOf(signed())).toBe('VERIFIED')
  await rename(folder, `${folder}.aside`)
  const flood = Array.from({ length: 200 }, () => signed(gw1, newSigningAgent()))
  const answers = await Promise.all(flood.map((packet) => codeOf(packet)))
  expect(new Set(answers)).toEqual(new Set(['UNKNOWN_KEY']))
  // Had any of them looked at the folder, the true key would be gone.
  expect(await codeOf(signed())).toBe('VERIFIED')
  clock += 1_000
  await Promise.all(flood.map((packet) => codeOf(packet)))
  expect(await codeOf(signed())).toBe('UNKNOWN_KEY')
  await rename(`${folder}.aside`, folder)
  clock += 1_000
  expect(await codeOf(signed())).toBe('VERIFIED')
})

test('a denied certificate denies the key at once', async () => {
  expect(await codeOf(signed())).toBe('VERIFIED')
  denied = new Set(['ab'.repeat(16)])
  expect(await codeOf(signed())).toBe('DENIED')
})

test.each([
  ['its certificate is denied', { serial: 'cd'.repeat(16) }, 'DENIED'],
  ['its certification ends', { expiresAt: 1_000 }, 'EXPIRED'],
])('a key that is certified anew when %s counts again within a second', async (_when, change, code) => {
  await site.certify(gw1, key, change)
  denied = new Set(['cd'.repeat(16)])
  clock += 60_000
  expect(await codeOf(signed(), gw1, 2_000)).toBe(code)
  await site.certify(gw1, key)
  expect(await codeOf(signed(), gw1, 2_000)).toBe(code)
  clock += 1_000
  expect(await codeOf(signed(), gw1, 2_000)).toBe('VERIFIED')
})

test('trust that cannot be read refuses, is told, and is believed again when it can', async () => {
  const roots = join(site.folder, 'roots')
  const first = join(roots, (await readdir(roots))[0]!)
  await rename(first, join(site.folder, 'aside'))
  expect(await codeOf(signed())).toBe('TRUST_UNREADABLE')
  expect(trouble).toMatchObject([{ code: 'TRUST_MISSING' }])
  expect(await codeOf(signed())).toBe('TRUST_UNREADABLE')
  expect(trouble).toHaveLength(1)
  await rename(join(site.folder, 'aside'), first)
  clock += 1_000
  expect(await codeOf(signed())).toBe('VERIFIED')
  await rm(join(site.folder, 'agents'), { recursive: true })
  clock += 60_000
  expect(await codeOf(signed())).toBe('UNKNOWN_KEY')
})

test('who looks back verifies with keys that were certified, also where that has ended', async () => {
  await site.certify(gw1, key, { expiresAt: 1 })
  const stranger = newSigningAgent()
  await site.certify(gw1, stranger, {}, stranger.signer)
  const verifierOf = await openVerifiers(site.folder, 'demo', ['gw-1', 'gw-2'])
  expect(verifyBatch(gw1, signed(), verifierOf('gw-1', key.signer.keyid)!).ok).toBe(true)
  expect(verifyBatch(gw1, signed(gw2), verifierOf('gw-1', key.signer.keyid)!).ok).toBe(false)
  expect(verifierOf('gw-1', stranger.signer.keyid)).toBeUndefined()
  expect(verifierOf('gw-2', key.signer.keyid)).toBeUndefined()
})
