import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nacl from 'tweetnacl'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toKeyId, verifySignature } from '@imlma/protocol/node'
import {
  fromBase64,
  openEnvelope,
  openFirstRoot,
  openNextRoot,
  preAuthenticationEncoding,
  toBase64,
  type Envelope,
  type TrustRoot,
} from '@imlma/protocol/trust'
import { commandPayloadType, commandSchema } from '@imlma/protocol/wire'
import { addTechnician } from './add-technician.fs.ts'
import { sealCommand, toCommand, type Order } from './command.ts'
import { nextCounter } from './counter.fs.ts'
import { establishTrust, keyPathOf, rootsFolderOf } from './establish.fs.ts'
import { newKey, readKeyFile, toSigner, writeKeyFile } from './keys.fs.ts'
import { sealNextRoot, withKey, withoutKey } from './next-root.ts'
import { openRootChain } from './roots.fs.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-trust-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const now = 1_700_000_000_000
const order: Order = {
  site: 'demo',
  agents: ['gw-1'],
  model: 'load',
  operation: 'rollback',
  target: 'previous',
  reason: 'forecasts jumped',
}

describe('a key file', () => {
  test('is readable by its owner alone, comes back whole and is never overwritten', async () => {
    const path = join(folder, 'deep', 'ada.json')
    const key = newKey('technician', 'Ada')
    await writeKeyFile(path, key)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readKeyFile(path)).toEqual(key)
    await expect(writeKeyFile(path, newKey('technician', 'Eve'))).rejects.toMatchObject({
      code: 'KEY_EXISTS',
    })
    expect(await readdir(join(folder, 'deep'))).toEqual(['ada.json'])
  })

  test.each([0o640, 0o604, 0o660, 0o610])('is refused with mode %o, with what to do', async (mode) => {
    const path = join(folder, 'ada.json')
    await writeKeyFile(path, newKey('technician', 'Ada'))
    await chmod(path, mode)
    await expect(readKeyFile(path)).rejects.toMatchObject({
      code: 'KEY_EXPOSED',
      hint: expect.stringContaining('chmod 600'),
    })
  })

  test('is refused when it is missing, no JSON, or its parts do not belong together', async () => {
    const path = join(folder, 'ada.json')
    await expect(readKeyFile(path)).rejects.toMatchObject({ code: 'KEY_MISSING' })
    const key = newKey('technician', 'Ada')
    const other = newKey('technician', 'Eve')
    for (const content of [
      'nonsense',
      JSON.stringify({ ...key, v: 2 }),
      JSON.stringify({ ...key, secret: other.secret }),
      JSON.stringify({ ...key, public: other.public }),
      JSON.stringify({ ...key, keyid: other.keyid }),
    ]) {
      await writeFile(path, content, { mode: 0o600 })
      await expect(readKeyFile(path)).rejects.toMatchObject({ code: 'KEY_UNREADABLE' })
    }
  })
})

describe('the trust of a site', () => {
  test('is made at the first start and found again at the next', async () => {
    const first = await establishTrust(folder, { now })
    const again = await establishTrust(folder, { now: now + 1 })
    expect([first.created, again.created]).toEqual([true, false])
    expect(again.chain.current()).toEqual(first.chain.current())
    expect([again.release.keyid, again.director.keyid]).toEqual([first.release.keyid, first.director.keyid])
    expect(first.release.keyid).not.toBe(first.director.keyid)
    expect(first.agent?.keyid).toBe(again.agent?.keyid)
    expect(first.chain.current().roles.agent.keyids).toEqual([first.agent?.keyid])
    const root = openFirstRoot(first.chain.envelopes()[0] as Envelope, verifySignature)
    expect(root.ok && root.value.version).toBe(1)
    for (const name of await readdir(join(folder, 'keys'))) {
      expect((await stat(join(folder, 'keys', name))).mode & 0o777).toBe(0o600)
    }
  })

  test('a first start that was cut off is completed with the keys that are there', async () => {
    const key = newKey('root', 'root')
    await writeKeyFile(keyPathOf(folder, 'root'), key)
    const { chain } = await establishTrust(folder, { now })
    expect(chain.current().roles.root.keyids).toEqual([key.keyid])
  })

  test('works without the root key once it was made', async () => {
    await establishTrust(folder, { now })
    await rename(keyPathOf(folder, 'root'), join(folder, 'kept-elsewhere.json'))
    expect((await establishTrust(folder, { now })).created).toBe(false)
    await expect(addTechnician(folder, newKey('technician', 'Ada'))).rejects.toMatchObject({
      code: 'KEY_MISSING',
    })
    const elsewhere = await addTechnician(
      folder,
      newKey('technician', 'Ada'),
      join(folder, 'kept-elsewhere.json'),
    )
    expect(elsewhere).toMatchObject({ ok: true, value: { version: 2 } })
  })

  test('refuses keys that its root does not know, and roots that were changed', async () => {
    await establishTrust(folder, { now })
    await rm(keyPathOf(folder, 'release'))
    await expect(establishTrust(folder, { now })).rejects.toMatchObject({ code: 'KEY_MISSING' })
    await writeKeyFile(keyPathOf(folder, 'release'), newKey('release', 'foreign'))
    await expect(establishTrust(folder, { now })).rejects.toMatchObject({ code: 'KEY_NOT_IN_ROOT' })
    const path = join(rootsFolderOf(folder), '1.json')
    const envelope = JSON.parse(await readFile(path, 'utf8')) as Envelope
    const root = JSON.parse(new TextDecoder().decode(fromBase64(envelope.payload))) as TrustRoot
    const payload = toBase64(new TextEncoder().encode(JSON.stringify({ ...root, expiresAt: 9e14 })))
    await writeFile(path, JSON.stringify({ ...envelope, payload }))
    await expect(establishTrust(folder, { now })).rejects.toMatchObject({ code: 'TRUST_BROKEN' })
    await writeFile(path, 'nonsense')
    await expect(establishTrust(folder, { now })).rejects.toMatchObject({ code: 'TRUST_BROKEN' })
  })
})

describe('the next root', () => {
  test('lets a technician in, follows the chain, and is found by a process that runs', async () => {
    const { chain } = await establishTrust(folder, { now })
    const ada = newKey('technician', 'Ada')
    expect(await chain.refresh()).toBe(false)
    const added = await addTechnician(folder, ada)
    expect(added).toMatchObject({ ok: true, value: { version: 2 } })
    expect(chain.current().version).toBe(1)
    expect(await chain.refresh()).toBe(true)
    expect(chain.current().roles.technician.keyids).toEqual([ada.keyid])
    expect(chain.current().keys[ada.keyid]).toEqual({ scheme: 'ed25519', public: ada.public, name: 'Ada' })
    expect(await addTechnician(folder, ada)).toEqual({ ok: true, value: { version: 2 } })
    expect((await openRootChain(rootsFolderOf(folder))).envelopes()).toHaveLength(2)
  })

  test('that is handed in is persisted before it counts, and handed in again changes nothing', async () => {
    const { chain } = await establishTrust(folder, { now })
    const root = toSigner(await readKeyFile(keyPathOf(folder, 'root')))
    const next = withKey(chain.current(), 'technician', newKey('technician', 'Ada'))
    const envelope = sealNextRoot(chain.current(), next, [root], verifySignature)
    if (!envelope.ok) throw new Error(envelope.refusal.message)
    expect(await chain.accept(envelope.value)).toMatchObject({ ok: true, value: { version: 2 } })
    expect(await chain.accept(envelope.value)).toMatchObject({ ok: true, value: { version: 2 } })
    expect((await openRootChain(rootsFolderOf(folder))).current().version).toBe(2)
  })

  test('is refused when it skips, repeats, or is signed by somebody else, and leaves no file', async () => {
    const { chain, director } = await establishTrust(folder, { now })
    const root = toSigner(await readKeyFile(keyPathOf(folder, 'root')))
    const eve = newKey('root', 'Eve')
    const next = withKey(chain.current(), 'technician', newKey('technician', 'Ada'))
    const refusals = [
      sealNextRoot(chain.current(), { ...next, version: 3 }, [root], verifySignature),
      sealNextRoot(chain.current(), { ...next, version: 1 }, [root], verifySignature),
      sealNextRoot(chain.current(), next, [director], verifySignature),
      sealNextRoot(chain.current(), next, [toSigner(eve)], verifySignature),
      // The new root must also be signed by its own root keys.
      sealNextRoot(
        chain.current(),
        {
          ...next,
          keys: { ...next.keys, [eve.keyid]: { scheme: 'ed25519', public: eve.public, name: 'Eve' } },
          roles: { ...next.roles, root: { keyids: [eve.keyid], threshold: 1 } },
        },
        [root],
        verifySignature,
      ),
      // Two root keys are asked for and one signs.
      sealNextRoot(
        chain.current(),
        { ...next, roles: { ...next.roles, root: { ...next.roles.root, threshold: 2 } } },
        [root],
        verifySignature,
      ),
    ].map((result) => (result.ok ? 'accepted' : result.refusal.code))
    expect(refusals).toEqual([
      'REPLAYED',
      'REPLAYED',
      'NOT_AUTHORISED',
      'UNKNOWN_KEY',
      'NOT_AUTHORISED',
      'BAD_SIGNATURE',
    ])
    expect(await readdir(rootsFolderOf(folder))).toEqual(['1.json'])
  })

  test('of two that follow the same root only one is accepted', async () => {
    const { chain } = await establishTrust(folder, { now })
    const root = toSigner(await readKeyFile(keyPathOf(folder, 'root')))
    const envelopes = ['Ada', 'Bob'].map((name) => {
      const next = withKey(chain.current(), 'technician', newKey('technician', name))
      const sealed = sealNextRoot(chain.current(), next, [root], verifySignature)
      if (!sealed.ok) throw new Error(sealed.refusal.message)
      return sealed.value
    })
    const other = await openRootChain(rootsFolderOf(folder))
    const [one, two] = await Promise.all([
      chain.accept(envelopes[0] as Envelope),
      other.accept(envelopes[1] as Envelope),
    ])
    expect([one.ok, two.ok].filter(Boolean)).toHaveLength(1)
    expect((await openRootChain(rootsFolderOf(folder))).current().version).toBe(2)
  })

  test('takes a key away, and refuses to leave a role without its keys', async () => {
    const { chain } = await establishTrust(folder, { now, technicians: [newKey('technician', 'Ada')] })
    const current = chain.current()
    const ada = current.roles.technician.keyids[0] as string
    const next = withoutKey(current, ada)
    expect(next).toMatchObject({ ok: true, value: { version: 2, roles: { technician: { keyids: [] } } } })
    expect(next.ok && next.value.keys).not.toHaveProperty(ada)
    expect(current.keys).toHaveProperty(ada)
    expect(withoutKey(current, current.roles.release.keyids[0] as string)).toMatchObject({
      ok: false,
      refusal: { code: 'NOT_ENOUGH_KEYS' },
    })
  })

  test('a gap in the chain of files is a failure, not a shorter chain', async () => {
    await establishTrust(folder, { now })
    await addTechnician(folder, newKey('technician', 'Ada'))
    await addTechnician(folder, newKey('technician', 'Bob'))
    await rm(join(rootsFolderOf(folder), '2.json'))
    await expect(openRootChain(rootsFolderOf(folder))).rejects.toMatchObject({ code: 'TRUST_BROKEN' })
    await expect(openRootChain(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'TRUST_MISSING' })
  })
})

describe("a technician's command", () => {
  const openCommand = (envelope: Envelope, root: TrustRoot) =>
    openEnvelope(envelope, {
      payloadType: commandPayloadType,
      schema: commandSchema,
      root,
      role: 'technician',
      verify: verifySignature,
    })

  test('verifies against the root that knows the key, and not against the one before', async () => {
    const { chain } = await establishTrust(folder, { now })
    const before = chain.current()
    const ada = newKey('technician', 'Ada')
    await addTechnician(folder, ada)
    await chain.refresh()
    const command = toCommand(order, { now, commandId: 'c-1', counter: 5 })
    const envelope = sealCommand(command, toSigner(ada))
    expect(openCommand(envelope, chain.current())).toEqual({ ok: true, value: command })
    expect(openCommand(envelope, before)).toMatchObject({ ok: false, refusal: { code: 'UNKNOWN_KEY' } })
    expect(command).toMatchObject({ notBefore: now - 300_000, expiresAt: now + 3_600_000, counter: 5 })
  })

  test('signed by tweetnacl, with any MQTT tool, verifies just the same', async () => {
    const pair = nacl.sign.keyPair()
    const ada = { keyid: toKeyId(pair.publicKey), public: toBase64(pair.publicKey), name: 'Ada' }
    const { chain } = await establishTrust(folder, { now, technicians: [ada] })
    const command = toCommand(order, { now, commandId: 'c-2', counter: 6 })
    const payload = new TextEncoder().encode(JSON.stringify(command))
    const sig = nacl.sign.detached(preAuthenticationEncoding(commandPayloadType, payload), pair.secretKey)
    const envelope: Envelope = {
      payloadType: commandPayloadType,
      payload: toBase64(payload),
      signatures: [{ keyid: ada.keyid, sig: toBase64(sig) }],
    }
    expect(openCommand(envelope, chain.current())).toEqual({ ok: true, value: command })
    sig[0]! ^= 1
    const bent = { ...envelope, signatures: [{ keyid: ada.keyid, sig: toBase64(sig) }] }
    expect(openCommand(bent, chain.current())).toMatchObject({
      ok: false,
      refusal: { code: 'BAD_SIGNATURE' },
    })
  })

  test('signed by the director is not authorised', async () => {
    const { chain, director } = await establishTrust(folder, { now })
    const envelope = sealCommand(toCommand(order, { now, commandId: 'c-3', counter: 7 }), director)
    expect(openCommand(envelope, chain.current())).toMatchObject({ refusal: { code: 'NOT_AUTHORISED' } })
  })

  test.each([
    ['no reason', { reason: '' }],
    ['a target of its own', { target: 0 }],
    ['no agent', { agents: [] }],
    ['an agent that is no name', { agents: ['gw/1'] }],
  ])('is not made with %s', (_, changes) => {
    const broken: Order = { ...order, ...changes }
    expect(() => toCommand(broken, { now, commandId: 'c-4', counter: 8 })).toThrow(Object.keys(changes)[0])
  })

  test('has a counter that grows, also when the clock goes back and the file is lost', async () => {
    const key = join(folder, 'ada.json')
    expect(await nextCounter(key, now)).toBe(now)
    expect(await nextCounter(key, now)).toBe(now + 1)
    expect(await nextCounter(key, now - 1_000_000)).toBe(now + 2)
    expect(await nextCounter(key, now + 50)).toBe(now + 50)
    await rm(`${key}.counter`)
    expect(await nextCounter(key, now + 51)).toBe(now + 51)
    await writeFile(`${key}.counter`, '{"v":1,"last":-3}')
    await expect(nextCounter(key, now)).rejects.toMatchObject({ code: 'COUNTER_UNREADABLE' })
  })
})

test('a root chain verifies outside of this package as agents do it', async () => {
  const { chain } = await establishTrust(folder, { now })
  await addTechnician(folder, newKey('technician', 'Ada'))
  await chain.refresh()
  const [first, second] = chain.envelopes() as [Envelope, Envelope]
  const one = openFirstRoot(first, verifySignature)
  const two = one.ok && openNextRoot(one.value, second, verifySignature)
  expect(two && two.ok && two.value.version).toBe(2)
})
