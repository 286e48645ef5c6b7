import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { verifySignature } from '@imlma/protocol/node'
import {
  envelopeSchema,
  openEnvelope,
  openNextRoot,
  sealEnvelope,
  type KeyScheme,
  type Role,
} from '@imlma/protocol/trust'
import { commandPayloadType } from '@imlma/protocol/wire'
import { z } from 'zod'
import { establishTrust, rotatedKeyPathOf } from './establish.fs.ts'
import { newKey, readKeyFile, toSigner, writeKeyFile, type KeyFile } from './keys.fs.ts'
import { firstRoot } from './next-root.ts'
import { createRoot, proposeRoot, readRoot, signRoot } from './root-office.fs.ts'

const now = 1_700_000_000_000
const both: readonly KeyScheme[] = ['ed25519', 'ml-dsa-65']

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-roots-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const pathTo = (name: string) => join(folder, `${name}.key`)
const person = async (role: Role, name: string, schemes?: readonly KeyScheme[]): Promise<KeyFile> => {
  const key = newKey(role, name, schemes)
  await writeKeyFile(pathTo(name), key)
  return key
}
const pendingPath = () => join(folder, 'root.pending.json')
const own = { keyPaths: [], out: undefined }

describe('a change of the trust root', () => {
  test('is in force at once where one root holder is enough', async () => {
    await establishTrust(folder, { now })
    const ada = await person('technician', 'Ada')
    const added = await proposeRoot(folder, { kind: 'add', role: 'technician', key: ada }, own)
    expect(added).toMatchObject({ ok: true, value: { version: 2 } })
    expect((await readRoot(folder)).roles.technician.keyids).toEqual([ada.keyid])
    const revoked = await proposeRoot(folder, { kind: 'revoke', keyid: ada.keyid }, own)
    expect(revoked.ok).toBe(true)
    const root = await readRoot(folder)
    expect([root.version, root.roles.technician.keyids, root.keys[ada.keyid]]).toEqual([3, [], undefined])
  })

  test('waits for the second root holder, and a proposal grants nothing', async () => {
    await establishTrust(folder, { now })
    const ada = await person('root', 'Ada')
    await person('root', 'Eve')
    expect((await proposeRoot(folder, { kind: 'add', role: 'root', key: ada }, own)).ok).toBe(true)
    const two = { kind: 'set', role: 'root', terms: { threshold: 2 } } as const
    const proposed = await proposeRoot(folder, two, { keyPaths: [], out: pendingPath() })
    expect(proposed).toMatchObject({
      value: {
        pending: pendingPath(),
        signatures: [
          { of: 'old', signed: ['root'] },
          { of: 'new', open: ['Ada'] },
        ],
      },
    })
    expect((await readRoot(folder)).version).toBe(2)
    // A stranger's signature changes nothing; signing twice does not either.
    expect(await signRoot(folder, pendingPath(), [pathTo('Eve')])).toMatchObject({
      value: { pending: pendingPath() },
    })
    expect((await readRoot(folder)).version).toBe(2)
    const signed = await signRoot(folder, pendingPath(), [pathTo('Ada')])
    expect(signed).toMatchObject({ ok: true, value: { version: 3 } })
    expect((await readRoot(folder)).roles.root.threshold).toBe(2)
  })

  test('by a key that is no root key is refused, and leaves no file behind', async () => {
    await establishTrust(folder, { now })
    await person('root', 'Eve')
    const options = { keyPaths: [pathTo('Eve')], out: pendingPath() }
    const refused = await proposeRoot(folder, { kind: 'set', expiresAt: now }, options)
    expect(refused).toMatchObject({ refusal: { code: 'NOT_AUTHORISED' } })
    await expect(readFile(pendingPath())).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('that no number of people could satisfy is refused', async () => {
    await establishTrust(folder, { now })
    const set = (role: Role, threshold: number) => ({ kind: 'set', role, terms: { threshold } }) as const
    expect(await proposeRoot(folder, set('release', 2), own)).toMatchObject({
      refusal: { code: 'NOT_ENOUGH_KEYS' },
    })
    const { roles } = await readRoot(folder)
    const last = { kind: 'revoke', keyid: roles.release.keyids[0]! } as const
    expect(await proposeRoot(folder, last, own)).toMatchObject({ refusal: { code: 'NOT_ENOUGH_KEYS' } })
    const stranger = { kind: 'revoke', keyid: 'f'.repeat(64) } as const
    expect(await proposeRoot(folder, stranger, own)).toMatchObject({ refusal: { code: 'UNKNOWN_KEY' } })
    const schemes = { kind: 'set', role: 'release', terms: { schemes: both } } as const
    expect(await proposeRoot(folder, schemes, own)).toMatchObject({ refusal: { code: 'MALFORMED' } })
  })

  test('of the root key itself is signed by the old and the new, and the old one is nobody’s then', async () => {
    await establishTrust(folder, { now })
    const before = await readRoot(folder)
    const old = before.roles.root.keyids[0]!
    const next = await person('root', 'Ada')
    const change = { kind: 'rotate', role: 'root', old, key: next } as const
    const alone = await proposeRoot(folder, change, { keyPaths: [], out: pendingPath() })
    expect(alone).toMatchObject({ value: { pending: pendingPath() } })
    expect((await signRoot(folder, pendingPath(), [pathTo('Ada')])).ok).toBe(true)
    const after = await readRoot(folder)
    expect([after.roles.root.keyids, after.keys[old]]).toEqual([[next.keyid], undefined])
    await expect(proposeRoot(folder, { kind: 'set', expiresAt: now }, own)).resolves.toMatchObject({
      refusal: { code: 'NOT_AUTHORISED' },
    })
  })
})

describe('a running control centre', () => {
  test('signs with the new director key once the rotation is in force, and not before', async () => {
    const trust = await establishTrust(folder, { now })
    const old = trust.director.keyid
    const key = newKey('director', 'director')
    await writeKeyFile(rotatedKeyPathOf(folder, 'director', key.keyid), key)
    await trust.refresh()
    expect(trust.director.keyid).toBe(old)
    const change = { kind: 'rotate', role: 'director', old, key } as const
    expect((await proposeRoot(folder, change, own)).ok).toBe(true)
    await trust.refresh()
    expect(trust.director.keyid).toBe(key.keyid)
    expect((await establishTrust(folder, { now })).director.keyid).toBe(key.keyid)
  })

  test('of a site that asks for both schemes signs with both', async () => {
    const trust = await establishTrust(folder, { now, schemes: both })
    const root = trust.chain.current()
    const schema = z.object({ word: z.string() })
    const terms = { payloadType: 'x', schema, root, role: 'release', verify: verifySignature } as const
    const sealed = sealEnvelope('x', { word: 'hello' }, [trust.release])
    expect(openEnvelope(sealed, terms).ok).toBe(true)
    const half = { ...sealed, signatures: sealed.signatures.slice(0, 1) }
    expect(openEnvelope(half, terms)).toMatchObject({ refusal: { code: 'BAD_SIGNATURE' } })
    const ada = await person('technician', 'Ada')
    expect(await proposeRoot(folder, { kind: 'add', role: 'technician', key: ada }, own)).toMatchObject({
      refusal: { code: 'MALFORMED', message: expect.stringContaining('ml-dsa-65') },
    })
    const ben = await person('technician', 'Ben', both)
    expect((await proposeRoot(folder, { kind: 'add', role: 'technician', key: ben }, own)).ok).toBe(true)
    expect(await readKeyFile(pathTo('Ben'))).toEqual(ben)
    const order = sealEnvelope(commandPayloadType, { word: 'go' }, [toSigner(ben)])
    const asTechnician = { ...terms, payloadType: commandPayloadType, role: 'technician' } as const
    expect(openEnvelope(order, { ...asTechnician, root: await readRoot(folder) }).ok).toBe(true)
    // The secret of neither key is in the root.
    const text = JSON.stringify(trust.chain.envelopes()) + JSON.stringify(await readRoot(folder))
    expect(text).not.toContain(ben.companion!.secret)
    expect(text).not.toContain(ben.secret)
  })
})

describe('the first root', () => {
  test('with two root holders waits for both, is made once, and others can be added to it', async () => {
    const [ada, ben, release, director, agent] = await Promise.all([
      person('root', 'Ada'),
      person('root', 'Ben'),
      person('release', 'release'),
      person('director', 'director'),
      person('agent', 'agent'),
    ])
    const first = firstRoot({ root: ada, release, director, agent }, [], now)
    first.roles.root = { keyids: [ada.keyid, ben.keyid], threshold: 2 }
    first.keys[ben.keyid] = { scheme: 'ed25519', public: ben.public, name: 'Ben' }
    const options = { signers: [toSigner(ada)], out: pendingPath() }
    expect(await createRoot(folder, first, options)).toMatchObject({ value: { pending: pendingPath() } })
    await expect(readRoot(folder)).rejects.toMatchObject({ code: 'TRUST_MISSING' })
    expect(await signRoot(folder, pendingPath(), [pathTo('Ben')])).toMatchObject({ value: { version: 1 } })
    const root = await readRoot(folder)
    expect(root).toMatchObject({ version: 1, roles: { root: { threshold: 2 } } })
    expect(await createRoot(folder, first, options)).toMatchObject({ refusal: { code: 'EXISTS' } })

    const change = { kind: 'set', expiresAt: now + 1 } as const
    await proposeRoot(folder, change, { keyPaths: [pathTo('Ada')], out: pendingPath() })
    const proposal = envelopeSchema.parse(JSON.parse(await readFile(pendingPath(), 'utf8')))
    expect(openNextRoot(root, proposal, verifySignature)).toMatchObject({
      refusal: { code: 'BAD_SIGNATURE' },
    })
  })
})
