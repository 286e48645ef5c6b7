/**
 * Attacks on a gateway with real keys, real files and real sessions. Whatever is sent, three things stay: what it serves,
 * what it would take from the true keys, and that it says why it refused.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '@imlma/protocol/node'
import type { Envelope } from '@imlma/protocol/trust'
import { openStore } from './store.fs.ts'
import {
  model,
  newFolder,
  newKey,
  newKeys,
  release,
  removeFolder,
  sealCommand,
  sealDesired,
  sealRoot,
} from './testing/gateway.fs.ts'
import {
  artifact,
  createStory,
  desired,
  keys,
  version,
  type Booted,
  type Story,
} from './testing/story.contract.ts'

const seed = Number(process.env['IMLMA_SEED'] ?? Date.now() % 1_000_000_000)

let story: Story
beforeEach(async () => {
  story = await createStory()
})
afterEach(() => story.end())

const bootWithTwo = async (): Promise<Booted> => {
  const gateway = await story.boot()
  await gateway.assign(1, 1)
  await gateway.assign(2, 2)
  return gateway
}
const rollback = (counter: number, fields: object = {}) =>
  sealCommand(keys.technician, { operation: 'rollback', target: 'previous', counter, ...fields })

describe('tampering', () => {
  test('at every byte of a command: none is carried out, and the true one still is', async () => {
    const gateway = await bootWithTwo()
    const command = rollback(1)
    for (let position = 0; position < command.payload.length; position += 1) {
      for (const bit of [1, 0x20, 0x80]) {
        const payload = command.payload.map((byte, index) => (index === position ? byte ^ bit : byte))
        await gateway.models.command({ ...command, payload })
      }
    }
    expect(new Set(story.centre.results.map(({ state }) => state))).toEqual(new Set(['refused']))
    expect(gateway.state()).toMatchObject({ active: { version: 2 }, pinned: false })
    await gateway.models.command(command)
    await story.centre.heard(() => story.centre.results.at(-1)?.state === 'succeeded')
    expect(await gateway.answers()).toBe(1)
  })

  test('at every byte of an assignment’s signatures, type and names, and at every seventh of the rest', async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    const bytes = desired(2, 2)
    const text = new TextDecoder().decode(bytes)
    const [from, to] = [text.indexOf('"payload":"') + 11, text.indexOf('","signatures"')]
    for (let position = 0; position < bytes.length; position += 1) {
      if (position > from && position < to && position % 7 > 0) continue
      await gateway.models.desired(bytes.map((byte, index) => (index === position ? byte ^ 1 : byte)))
    }
    await gateway.idle()
    expect(await gateway.answers()).toBe(1)
    expect(gateway.models.reportedModels().desiredCounter).toBe(1)
    await gateway.assign(2, 2)
    expect(await gateway.answers()).toBe(2)
  })

  test(
    `at 128 random places of an artifact of 4 MB on disk (seed ${seed})`,
    { timeout: 60_000 },
    async () => {
      const folder = await newFolder()
      const bytes = new Uint8Array(4_194_304).map((_, index) => (index * 31) >> 3)
      const digest = sha256(bytes)
      const store = await openStore({ folder })
      const file = await store.openPartial(digest, bytes.length)
      if (!file.ok) throw new Error(file.refusal.code)
      await file.value.append(bytes)
      await file.value.close()
      expect(await store.admit(digest)).toMatchObject({ ok: true })
      const places = fc.sample(fc.tuple(fc.nat(bytes.length - 1), fc.nat(7)), { numRuns: 128, seed })
      for (const [position, bit] of places) {
        const changed = bytes.slice()
        changed[position] = (changed[position] ?? 0) ^ (1 << bit)
        await writeFile(join(folder, `${digest}.onnx`), changed)
        expect(await store.verify(digest), `bit ${bit} of byte ${position}`).toMatchObject({
          refusal: { code: 'DIGEST_MISMATCH' },
        })
      }
      await writeFile(join(folder, `${digest}.onnx`), bytes)
      expect(await store.verify(digest)).toMatchObject({ ok: true })
      await removeFolder(folder)
    },
  )
})

describe('replay', () => {
  test('of a command after a restart, retained, under another name, and of one that was refused before', async () => {
    const before = await bootWithTwo()
    await story.command(before, rollback(1))
    await story.command(before, sealCommand(keys.technician, { operation: 'unpin', counter: 2 }))
    await before.assign(3, 2)
    await story.off(before)

    const gateway = await story.boot()
    const said = story.centre.results.length
    await gateway.models.command(rollback(1))
    await gateway.models.command({ ...rollback(1), retained: true })
    await gateway.models.command({ ...rollback(1), id: 'c-9' })
    await gateway.models.command(rollback(1, { commandId: 'c-new' }))
    await gateway.models.command(rollback(2, { commandId: 'c-same' }))
    await gateway.models.command({ ...rollback(9), retained: true })
    const answers = story.centre.results.slice(said)
    expect(answers.map(({ commandId, state, code }) => [commandId, state, code])).toEqual([
      ['c-1', 'succeeded', null],
      // The stored result once more: it tells who sent it nothing new, and does nothing.
      ['c-1', 'succeeded', null],
      ['c-9', 'refused', 'WRONG_TARGET'],
      ['c-new', 'refused', 'REPLAYED'],
      ['c-same', 'refused', 'REPLAYED'],
      ['c-9', 'refused', 'RETAINED'],
    ])
    expect(await gateway.answers()).toBe(2)
  })

  test('of what was meant for another agent, on this agent’s topic', async () => {
    const gateway = await bootWithTwo()
    await gateway.models.command(rollback(1, { agents: ['gw-2'] }))
    expect(story.centre.results.at(-1)).toMatchObject({ state: 'refused', code: 'WRONG_TARGET' })
    await gateway.models.desired(
      sealDesired(keys.director, 9, { [model]: version(1).envelope }, { agent: 'gw-2' }),
    )
    expect(gateway.codes()).toContain('WRONG_TARGET')
    expect(await gateway.answers()).toBe(2)
  })
})

describe('an expired trust root', () => {
  // Roots of the story end at 4 · 10¹² ms.
  const afterwards = 4_100_000_000_000
  const times = { issuedAt: afterwards, notBefore: afterwards - 1, expiresAt: afterwards + 1_000 }

  test('lets nothing new in, and the gateway serves on and rolls back', async () => {
    const before = await bootWithTwo()
    await story.off(before)
    const gateway = await story.boot({ now: afterwards })
    expect(await gateway.answers()).toBe(2)
    await gateway.models.desired(sealDesired(keys.director, 3, { [model]: version(3).envelope }, times))
    await gateway.idle()
    expect(gateway.codes()).toContain('EXPIRED')
    expect(gateway.state()?.outcome).toMatchObject({ state: 'refused', reason: 'EXPIRED' })
    expect(await gateway.answers()).toBe(2)
    expect(await story.command(gateway, rollback(1, times))).toMatchObject({ state: 'succeeded' })
    expect(await gateway.answers()).toBe(1)
  })
})

describe('keys that were rotated while the gateway was away', () => {
  /** Roots 2 … 4: new release and director keys, then a new root key, then a new technician. */
  const rotated = () => {
    const second = { ...keys, release: newKey(), director: newKey() }
    const third = { ...second, root: newKey() }
    const fourth = { ...third, technician: newKey() }
    const roots: readonly Envelope[] = [
      sealRoot(second, 2, [keys.root.signer]),
      sealRoot(third, 3, [keys.root.signer, third.root.signer]),
      sealRoot(fourth, 4, [third.root.signer]),
    ]
    return { now: fourth, roots }
  }

  test('are followed link by link when it comes back, and the old ones open nothing any more', async () => {
    const before = await bootWithTwo()
    await story.off(before)
    const { now, roots } = rotated()
    const gateway = await story.boot()
    const third = release(now.release, 3, artifact(3))
    story.centre.artifacts.set(third.sha256, third.bytes)
    await gateway.models.desired(sealDesired(now.director, 3, { [model]: third.envelope }, { roots }))
    await gateway.idle()
    expect(await gateway.answers()).toBe(3)
    expect(gateway.models.reportedModels().rootVersion).toBe(4)

    await gateway.models.desired(desired(9, 4))
    expect(gateway.codes()).toContain('UNKNOWN_KEY')
    const old = await story.command(gateway, rollback(1))
    expect(old).toMatchObject({ state: 'refused', code: 'UNKNOWN_KEY' })
    const own = sealCommand(now.technician, { operation: 'rollback', target: 'previous', counter: 2 })
    expect(await story.command(gateway, own)).toMatchObject({ state: 'succeeded' })
  })

  test('are not followed over a missing link, by a stranger’s chain, or back', async () => {
    const gateway = await bootWithTwo()
    const { now, roots } = rotated()
    const stranger = newKeys()
    for (const [chain, director] of [
      [roots.slice(1), now.director],
      [[sealRoot(stranger, 2)], stranger.director],
      [[sealRoot(stranger, 2, [keys.director.signer, keys.release.signer])], stranger.director],
    ] as const) {
      await gateway.models.desired(
        sealDesired(director, 9, { [model]: version(3).envelope }, { roots: chain }),
      )
    }
    await gateway.idle()
    expect(gateway.models.reportedModels()).toMatchObject({ rootVersion: 1, desiredCounter: 2 })
    expect(await gateway.answers()).toBe(2)
  })
})

describe('a stolen director key', () => {
  test('reassigns what the release key signed, and brings nothing else to serve', async () => {
    const gateway = await bootWithTwo()
    const thief = keys.director
    const forged = release(thief, 3, artifact(3), { createdAt: 5 })
    const renamed = { ...version(3).envelope, payload: forged.envelope.payload }
    const shadow = release(keys.release, 3, artifact(3), { mode: 'shadow' })
    const elsewhere = release(keys.release, 3, artifact(3), { model: 'other' })
    let counter = 10
    for (const envelope of [forged.envelope, renamed, shadow.envelope, elsewhere.envelope]) {
      await gateway.models.desired(sealDesired(thief, counter++, { [model]: envelope }))
      await gateway.idle()
      expect(await gateway.answers()).toBe(2)
    }
    expect(new Set(gateway.codes())).toEqual(new Set(['BAD_SIGNATURE', 'SHADOW_ONLY', 'WRONG_TARGET']))
    expect(await story.command(gateway, sealCommand(thief, { operation: 'pin', counter: 1 }))).toMatchObject({
      state: 'refused',
      code: 'NOT_AUTHORISED',
    })
    const next = sealRoot({ ...keys, release: thief }, 2, [thief.signer])
    await gateway.models.desired(
      sealDesired(thief, counter++, { [model]: forged.envelope }, { roots: [next] }),
    )
    expect(gateway.models.reportedModels().rootVersion).toBe(1)
    await gateway.models.desired(sealDesired(thief, counter, { [model]: version(1).envelope }))
    await gateway.idle()
    expect(await gateway.answers()).toBe(1)
  })
})

describe('names of JavaScript', () => {
  test.each(['__proto__', 'constructor', 'toString'])(
    '%s as a model and an id changes nothing',
    async (name) => {
      const gateway = await bootWithTwo()
      const entry = { manifest: version(3).envelope, mode: 'active' }
      const models = JSON.parse(`{"${name}":${JSON.stringify(entry)}}`) as object
      await gateway.models.desired(sealDesired(keys.director, 3, {}, { models }))
      await gateway.idle()
      await gateway.models.command(rollback(1, { commandId: name, model: name }))
      expect(story.centre.results.at(-1)).toMatchObject({ commandId: name, state: 'refused' })
      expect(await gateway.answers()).toBe(2)
      expect(({} as Record<string, unknown>)['manifest']).toBeUndefined()
      // And it goes on like every other day.
      await gateway.assign(4, 3)
      expect(await gateway.answers()).toBe(3)
    },
  )
})
