import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accept, Failure } from '@imlma/protocol/result'
import {
  flipByte,
  model,
  newKey,
  newKeys,
  release,
  sealCommand,
  sealDesired,
  sealRoot,
  type GatewayOptions,
} from './testing/gateway.fs.ts'
import type { ModelsParts } from './models.ts'
import {
  artifact,
  contract,
  createStory,
  desired,
  keys,
  version,
  type Booted,
  type Story,
} from './testing/story.contract.ts'

let story: Story
beforeEach(async () => {
  story = await createStory()
})
afterEach(() => story.end())

describe('a deployment', () => {
  test('an assigned version is fetched, verified, proven, served and committed', async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    await gateway.assign(2, 2)
    expect(await gateway.answers()).toBe(2)
    expect(gateway.state()).toMatchObject({
      active: { version: 2, sha256: version(2).sha256 },
      previous: { version: 1 },
      outcome: { state: 'committed', durationsMs: { fetch: expect.any(Number), swap: expect.any(Number) } },
    })
    expect(gateway.models.reportedModels()).toMatchObject({ desiredCounter: 2, rootVersion: 1 })
    expect(gateway.alarms).toEqual([])
    expect(gateway.failures).toEqual([])
  })

  test('after a restart the champion serves without the control centre', async () => {
    const before = await story.boot()
    await before.assign(1, 1)
    await before.assign(2, 2)
    await story.off(before)
    story.centre.artifacts.clear()
    const after = await story.boot()
    expect(await after.answers()).toBe(2)
    expect(after.state()).toMatchObject({ phase: 'idle', active: { version: 2 }, previous: { version: 1 } })
  })

  test('the retained assignment, which comes with every connect, changes nothing', async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    const fetches = story.centre.fetches.length
    await gateway.assign(1, 1)
    expect(story.centre.fetches.length).toBe(fetches)
    expect(gateway.alarms).toEqual([])
  })

  test('assignments that overtake each other end at the last one, whatever was being fetched', async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    await gateway.models.desired(desired(2, 3))
    await gateway.models.desired(desired(3, 4))
    // Release 3 is no longer new by now, and was never committed here.
    await gateway.models.desired(desired(4, 3))
    await gateway.idle()
    expect(await gateway.answers()).toBe(4)
    await gateway.models.desired(sealDesired(keys.director, 5, { [model]: again(3, 5).envelope }))
    await gateway.models.desired(sealDesired(keys.director, 6, { [model]: again(2, 6).envelope }))
    await gateway.models.desired(sealDesired(keys.director, 7, { [model]: again(3, 7).envelope }))
    await gateway.when(() => gateway.state()?.phase === 'idle')
    expect(await gateway.answers()).toBe(3)
    expect(gateway.codes()).toEqual(['STALE_RELEASE'])
  })
  /** The bytes of version `n`, released again under a higher number. */
  const again = (n: number, higher: number) => release(keys.release, n, artifact(n), { release: higher })

  test('a fetch that found nobody is tried again at the next connect', async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    story.centre.artifacts.delete(version(2).sha256)
    await gateway.assign(2, 2)
    expect(gateway.state()?.outcome).toMatchObject({ reason: 'FETCH_FAILED' })
    story.centre.artifacts.set(version(2).sha256, version(2).bytes)
    gateway.models.connected()
    await gateway.when(() => gateway.state()?.active?.version === 2 && gateway.state()?.phase === 'idle')
    expect(await gateway.answers()).toBe(2)
  })
})

describe('what is not as it was signed never serves', () => {
  const refusing = async (payload: Uint8Array, options: GatewayOptions = {}) => {
    const first = await story.boot()
    await first.assign(1, 1)
    await story.off(first)
    const gateway = await story.boot(options)
    await gateway.models.desired(payload)
    await gateway.idle()
    expect(await gateway.answers()).toBe(1)
    expect(gateway.state()?.active?.version).toBe(1)
    return gateway
  }
  const expectRefused = (gateway: Booted, code: string, reason = code) => {
    expect(gateway.codes()).toContain(code)
    expect(gateway.state()?.outcome).toMatchObject({ state: 'refused', reason })
  }

  test('bytes changed on the way are BAD_DIGEST', async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    story.centre.tamper((bytes) => bytes.map((byte, index) => (index === 100 ? byte ^ 1 : byte)))
    await gateway.assign(2, 2)
    expectRefused(gateway, 'BAD_DIGEST')
    expect(await gateway.answers()).toBe(1)
    expect(await readdir(join(story.folder(), 'models'))).not.toContain(`${version(2).sha256}.onnx`)
    expect(gateway.state()?.quarantined).toEqual([])
  })

  test('an artifact changed in the store is BAD_DIGEST, one of another length is refused at the first piece', async () => {
    story.centre.artifacts.set(version(2).sha256, version(3).bytes)
    const first = await refusing(desired(2, 2))
    expectRefused(first, 'BAD_DIGEST')
    await story.off(first)
    story.centre.artifacts.set(version(2).sha256, Uint8Array.of(...version(2).bytes, 0))
    const gateway = await story.boot()
    await gateway.assign(3, 2)
    expectRefused(gateway, 'TOO_LARGE')
  })

  test('one byte of a signed payload', async () => {
    const text = new TextDecoder().decode(desired(2, 2))
    const envelope = JSON.parse(text) as { payload: string }
    const payload = atob(envelope.payload).replace('"counter":2', '"counter":3')
    const gateway = await refusing(
      new TextEncoder().encode(JSON.stringify({ ...envelope, payload: btoa(payload) })),
    )
    expectRefused(gateway, 'BAD_SIGNATURE')
  })

  test('an assignment by an unknown key, and by a key of another role', async () => {
    const gateway = await refusing(sealDesired(newKey(), 2, { [model]: version(2).envelope }))
    expectRefused(gateway, 'UNKNOWN_KEY')
    await gateway.models.desired(sealDesired(keys.release, 2, { [model]: version(2).envelope }))
    expectRefused(gateway, 'NOT_AUTHORISED', 'BAD_SIGNATURE')
  })

  test('a manifest by an unknown key, and by the director', async () => {
    const foreign = release(newKey(), 2, artifact(2))
    const gateway = await refusing(sealDesired(keys.director, 2, { [model]: foreign.envelope }))
    expectRefused(gateway, 'UNKNOWN_KEY')
    const own = release(keys.director, 2, artifact(2))
    await assignRaw(gateway, sealDesired(keys.director, 3, { [model]: own.envelope }))
    expectRefused(gateway, 'BAD_SIGNATURE')
  })
  const assignRaw = async (gateway: Booted, payload: Uint8Array) => {
    await gateway.models.desired(payload)
    await gateway.idle()
  }

  test('an older manifest that is not on disk is STALE_RELEASE, an older assignment REPLAYED', async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    await gateway.assign(2, 3)
    await gateway.assign(3, 2)
    expectRefused(gateway, 'STALE_RELEASE')
    await gateway.assign(1, 2)
    expectRefused(gateway, 'REPLAYED')
    expect(await gateway.answers()).toBe(3)
  })

  test('an older version that is on disk may be assigned by a new assignment', async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    await gateway.assign(2, 2)
    story.centre.artifacts.clear()
    await gateway.assign(3, 1)
    expect(await gateway.answers()).toBe(1)
    expect(gateway.state()).toMatchObject({ active: { version: 1 }, previous: { version: 2 }, releaseMax: 2 })
  })

  test.each([
    ['another agent', { agent: 'gw-2' }, {}, 'WRONG_TARGET'],
    ['another site', { site: 'elsewhere' }, {}, 'WRONG_TARGET'],
    ['the past', { expiresAt: 5 }, {}, 'EXPIRED'],
    ['a time that the agent cannot tell', {}, { trustedClock: false }, 'EXPIRED'],
  ])('an assignment for %s', async (_, changes, options, code) => {
    const payload = sealDesired(keys.director, 2, { [model]: version(2).envelope }, changes)
    expectRefused(await refusing(payload, options), code)
  })

  test.each([
    ['outputs that are not the signed ones', { golden: version(1).manifest.golden }, 'GOLDEN_MISMATCH'],
    ['a contract that contradicts itself', { contract: { ...contract, horizon: 3 } }, 'CONTRACT_MISMATCH'],
    ['another model', { model: 'other' }, 'WRONG_TARGET'],
    [
      'a budget that it cannot keep',
      { reference: { ...version(1).manifest.reference, latencyMsBudget: 1e-9 } },
      'LATENCY',
    ],
  ])('a version with %s', async (_, changes, code) => {
    const bad = release(keys.release, 2, artifact(2), changes)
    expectRefused(await refusing(sealDesired(keys.director, 2, { [model]: bad.envelope })), code)
  })

  test('a version of another unit than the meters bring is refused with what differs, and may come again', async () => {
    const { register, intervalMs } = contract
    let unit = 'W'
    const gateway = await story.boot({ liveSeries: () => [{ register, intervalMs, unit }] })
    await gateway.assign(1, 1)
    expect(gateway.state()?.outcome).toMatchObject({ state: 'refused', reason: 'CONTRACT_MISMATCH' })
    expect(gateway.state()?.outcome?.detail).toContain(`in ${contract.unit}; here it comes every 900 s in W`)
    expect(gateway.state()).toMatchObject({ quarantined: [], active: null })
    unit = contract.unit
    await gateway.assign(2, 1)
    expect(await gateway.answers()).toBe(1)
  })

  test('a version that served before is rolled back to, whatever the meters bring now', async () => {
    const before = await story.boot()
    await before.assign(1, 1)
    await before.assign(2, 2)
    await story.off(before)
    const { register, unit } = contract
    const gateway = await story.boot({ liveSeries: () => [{ register, intervalMs: 60_000, unit }] })
    const rollback = sealCommand(keys.technician, { operation: 'rollback', target: 'previous', counter: 1 })
    expect(await story.command(gateway, rollback)).toMatchObject({ state: 'succeeded' })
    expect(await gateway.answers()).toBe(1)
  })

  test('a file that is no model is LOAD_FAILED, quarantined, and refused when it comes again', async () => {
    const bytes = new TextEncoder().encode('no model at all'.repeat(20))
    const bad = release(keys.release, 2, { ...artifact(2), bytes })
    story.centre.artifacts.set(bad.sha256, bytes)
    const gateway = await refusing(sealDesired(keys.director, 2, { [model]: bad.envelope }))
    expectRefused(gateway, 'LOAD_FAILED')
    await assignRaw(gateway, sealDesired(keys.director, 3, { [model]: bad.envelope }))
    expectRefused(gateway, 'QUARANTINED')
  })

  test('what is no envelope at all raises an alarm and nothing else; a cleared assignment not even that', async () => {
    const gateway = await story.boot()
    await gateway.models.desired(new Uint8Array(0))
    expect(gateway.alarms).toEqual([])
    await gateway.models.desired(Uint8Array.of(1, 2, 3))
    await gateway.models.desired(new Uint8Array(600_000))
    expect(gateway.codes()).toEqual(['MALFORMED', 'TOO_LARGE'])
  })

  test('one bad model does not stop the others', async () => {
    const foreign = release(newKey(), 1, artifact(2), { model: 'other' })
    const gateway = await story.boot()
    await assignRaw(
      gateway,
      sealDesired(keys.director, 1, { other: foreign.envelope, [model]: version(1).envelope }),
    )
    expect(await gateway.answers()).toBe(1)
    expect(gateway.models.reportedModels().models.other?.outcome).toMatchObject({ reason: 'UNKNOWN_KEY' })
  })
})

describe('the disk', () => {
  const twoVersions = async () => {
    const gateway = await story.boot()
    await gateway.assign(1, 1)
    await gateway.assign(2, 2)
    await story.off(gateway)
  }

  test('a champion changed on disk is stood in for by the previous one, and fetched again', async () => {
    await twoVersions()
    await flipByte(story.fileOf(2))
    const gateway = await story.boot()
    expect(gateway.codes()).toContain('DIGEST_MISMATCH')
    await gateway.when(() => gateway.state()?.active?.version === 2 && gateway.state()?.phase === 'idle')
    expect(await gateway.answers()).toBe(2)
    await story.off(gateway)
    await flipByte(story.fileOf(2))
    story.centre.artifacts.clear()
    const offline = await story.boot()
    expect(await offline.answers()).toBe(1)
    expect(offline.state()?.quarantined).toEqual([])
  })

  test('a manifest changed on disk is not believed, and mended by the retained assignment', async () => {
    await twoVersions()
    const text = await readFile(story.fileOf(2, '.manifest.json'), 'utf8')
    await writeFile(story.fileOf(2, '.manifest.json'), text.replace(/"sig":"../, '"sig":"AA'))
    const gateway = await story.boot()
    expect(gateway.codes()).toContain('BAD_SIGNATURE')
    await gateway.idle()
    expect(await gateway.answers()).toBe(1)
    await gateway.models.desired(desired(2, 2))
    await gateway.when(() => gateway.state()?.active?.version === 2 && gateway.state()?.phase === 'idle')
    expect(await gateway.answers()).toBe(2)
  })

  test.each(['', '{"v":1,"desiredCou', '{"v":1}', 'null', '[]'])(
    'a state file with %j in it is moved aside and the state rebuilt from what verifies',
    async (content) => {
      await twoVersions()
      await writeFile(join(story.folder(), 'state.json'), content)
      const gateway = await story.boot()
      expect(gateway.codes()).toContain('STATE_LOST')
      expect(await gateway.answers()).toBe(2)
      expect(gateway.state()).toMatchObject({ previous: { version: 1 }, releaseMax: 2 })
      expect(await readdir(story.folder())).toContain('state.json.corrupt')
    },
  )

  test('a rebuilt state remembers quarantined digests and ignores what does not verify', async () => {
    await twoVersions()
    const before = await story.boot()
    await story.command(
      before,
      sealCommand(keys.technician, { operation: 'quarantine', target: 1, counter: 1 }),
    )
    await story.off(before)
    await writeFile(join(story.folder(), 'state.json'), '?')
    await flipByte(story.fileOf(2))
    const gateway = await story.boot()
    expect(gateway.state()).toBeUndefined()
    expect(gateway.serving.active(model)).toBeUndefined()
    await gateway.assign(3, 2)
    await gateway.assign(4, 1)
    expect(await gateway.answers()).toBe(2)
  })

  test('a disk that takes nothing more changes nothing, says so, and the champion serves after a restart', async () => {
    await twoVersions()
    const full: GatewayOptions['wrap'] = (parts) => ({
      ...parts,
      file: { ...parts.file, write: () => Promise.reject(noSpace()) },
    })
    const gateway = await story.boot({ wrap: full })
    expect(await gateway.answers()).toBe(2)
    await gateway.models.desired(desired(3, 3))
    expect(gateway.alarms.map(({ kind }) => kind)).toContain('storage')
    const result = await story.command(
      gateway,
      sealCommand(keys.technician, { operation: 'pin', counter: 1 }),
    )
    expect(result).toMatchObject({ state: 'failed', code: 'NO_SPACE' })
    expect(gateway.state()).toMatchObject({ pinned: false, active: { version: 2 } })
  })

  test('nothing is done before it is written down, and it goes on when it can be', async () => {
    let isFull = true
    const full: GatewayOptions['wrap'] = (parts) => ({
      ...parts,
      file: {
        ...parts.file,
        write: (state) =>
          isFull && state.models[model]?.phase === 'probation'
            ? Promise.reject(noSpace())
            : parts.file.write(state),
      },
    })
    const gateway = await story.boot({ wrap: full })
    await gateway.models.desired(desired(1, 1))
    await expect.poll(() => gateway.codes(), { interval: 2 }).toContain('NO_SPACE')
    expect(gateway.serving.active(model)).toBeUndefined()
    expect(gateway.state()).toMatchObject({ phase: 'warming', active: null })
    isFull = false
    await gateway.idle()
    expect(await gateway.answers()).toBe(1)
  })

  test('what was installed under an older root still loads, and its key installs nothing new', async () => {
    const first = await story.boot()
    await first.assign(1, 1)
    const next = { ...keys, release: newKey() }
    const root2 = sealRoot(next, 2, [keys.root.signer])
    await first.models.desired(
      sealDesired(keys.director, 2, { [model]: version(2).envelope }, { roots: [root2] }),
    )
    expect(first.models.reportedModels().rootVersion).toBe(2)
    expect(first.state()?.outcome).toMatchObject({ reason: 'UNKNOWN_KEY' })
    await story.off(first)
    const gateway = await story.boot()
    expect(await gateway.answers()).toBe(1)
    expect(gateway.models.reportedModels().rootVersion).toBe(2)
    const anew = release(next.release, 2, artifact(2))
    await gateway.models.desired(sealDesired(keys.director, 3, { [model]: anew.envelope }))
    await gateway.idle()
    expect(await gateway.answers()).toBe(2)
  })

  test('a root that the one before did not sign is not followed', async () => {
    const gateway = await story.boot()
    const stranger = newKeys()
    const forged = sealRoot(stranger, 2)
    await gateway.models.desired(
      sealDesired(stranger.director, 1, { [model]: version(1).envelope }, { roots: [forged] }),
    )
    expect(gateway.codes()).toEqual(['UNKNOWN_KEY', 'UNKNOWN_KEY'])
    expect(gateway.models.reportedModels()).toMatchObject({ rootVersion: 1, models: {} })
  })
})

describe('a technician', () => {
  const twoVersions = async (options: GatewayOptions = {}) => {
    const gateway = await story.boot(options)
    await gateway.assign(1, 1)
    await gateway.assign(2, 2)
    return gateway
  }
  const by = (counter: number, fields: Parameters<typeof sealCommand>[1] | object) =>
    sealCommand(keys.technician, { operation: 'rollback', target: 'previous', counter, ...fields })

  test('rolls back to the previous version without the control centre, and it is pinned', async () => {
    const gateway = await twoVersions()
    story.centre.artifacts.clear()
    const result = await story.command(gateway, by(1, {}))
    expect(result).toMatchObject({ state: 'succeeded', code: null, serving: { [model]: 1 } })
    expect(story.resultsOf('c-1').map(({ state }) => state)).toEqual(['accepted', 'executing', 'succeeded'])
    expect(await gateway.answers()).toBe(1)
    expect(gateway.state()).toMatchObject({ pinned: true, active: { version: 1 } })
    await gateway.assign(3, 2)
    expect(await gateway.answers()).toBe(1)
    expect(gateway.state()?.outcome).toMatchObject({ version: 2, reason: 'PINNED' })
    expect(gateway.alarms).toEqual([])
  })

  test('unpins, and the newest assignment that waited is followed', async () => {
    const gateway = await twoVersions()
    await story.command(gateway, by(1, {}))
    await gateway.assign(3, 3)
    await story.command(gateway, by(2, { operation: 'unpin', target: null }))
    await gateway.when(() => gateway.state()?.active?.version === 3 && gateway.state()?.phase === 'idle')
    expect(await gateway.answers()).toBe(3)
  })

  test('gets the stored result for a command that comes again, which is not carried out again', async () => {
    const gateway = await twoVersions()
    await story.command(gateway, by(1, {}))
    await story.off(gateway)
    // Done twice, `previous` would be the version that was rolled away.
    const again = await story.boot({ now: 3_000_000 })
    const said = story.centre.results.length
    await again.models.command(by(1, { expiresAt: 2_000_000 }))
    expect(story.centre.results.slice(said)).toMatchObject([{ commandId: 'c-1', state: 'succeeded' }])
    expect(await again.answers()).toBe(1)
  })

  test.each([
    ['a retained one', (it: ReturnType<typeof by>) => ({ ...it, retained: true }), {}, 'RETAINED'],
    [
      'one that is too large',
      (it: ReturnType<typeof by>) => ({ ...it, payload: new Uint8Array(600_000) }),
      {},
      'TOO_LARGE',
    ],
    [
      'one that is none',
      (it: ReturnType<typeof by>) => ({ ...it, payload: Uint8Array.of(1) }),
      {},
      'MALFORMED',
    ],
    ['one under another id', (it: ReturnType<typeof by>) => ({ ...it, id: 'other' }), {}, 'WRONG_TARGET'],
    ['one for another agent', undefined, { agents: ['gw-2'] }, 'WRONG_TARGET'],
    ['one for another site', undefined, { site: 'elsewhere' }, 'WRONG_TARGET'],
    ['one of tomorrow', undefined, { notBefore: 2_000_000 }, 'NOT_YET_VALID'],
    ['one of yesterday', undefined, { expiresAt: 5 }, 'EXPIRED'],
    ['an unknown version', undefined, { target: 9 }, 'UNKNOWN_VERSION'],
    ['an unknown model', undefined, { model: 'other' }, 'UNKNOWN_VERSION'],
    ['no model', undefined, { model: null }, 'MALFORMED'],
    ['no target', undefined, { target: null }, 'MALFORMED'],
    ['a resend without an outbox', undefined, { operation: 'resend', target: 1 }, 'NOT_SUPPORTED'],
  ])('is refused %s', async (_, change, fields, code) => {
    const gateway = await twoVersions()
    const signed = by(1, fields)
    const message = change?.(signed) ?? signed
    expect(await story.command(gateway, message)).toMatchObject({ state: 'refused', code })
    expect(await gateway.answers()).toBe(2)
    expect(gateway.state()?.pinned).toBe(false)
  })

  test('is refused a forged signature, an unknown key, a key of another role, and a replayed counter', async () => {
    const gateway = await twoVersions()
    const text = new TextDecoder().decode(by(1, {}).payload)
    const forged = text.replace(/"sig":"../, '"sig":"AA')
    const rollback = { operation: 'rollback', target: 'previous' } as const
    const refusals = [
      await story.command(gateway, { ...by(1, {}), payload: new TextEncoder().encode(forged) }),
      await story.command(gateway, sealCommand(newKey(), { ...rollback, counter: 2 })),
      await story.command(gateway, sealCommand(keys.director, { ...rollback, counter: 3 })),
      await story.command(gateway, by(7, { operation: 'report' })),
      await story.command(gateway, by(7, { commandId: 'replayed' })),
    ].map((result) => result?.code)
    expect(refusals).toEqual(['BAD_SIGNATURE', 'UNKNOWN_KEY', 'NOT_AUTHORISED', null, 'REPLAYED'])
    expect(gateway.codes()).toEqual(['BAD_SIGNATURE', 'UNKNOWN_KEY', 'NOT_AUTHORISED', 'REPLAYED'])
    expect(await gateway.answers()).toBe(2)
  })

  test('is not talked over: a forged message under the id of a done command gets that command’s result', async () => {
    const gateway = await twoVersions()
    await story.command(gateway, by(1, {}))
    const said = story.centre.results.length
    await gateway.models.command({ id: 'c-1', payload: Uint8Array.of(1), retained: false })
    expect(story.centre.results.slice(said)).toMatchObject([{ state: 'succeeded' }])
  })

  test.each([
    ['a target whose bytes changed', () => flipByte(story.fileOf(1)), 'DIGEST_MISMATCH'],
    ['a target whose file is gone', () => rm(story.fileOf(1)), 'NOT_ON_DISK'],
  ])('is refused %s, and the champion goes on', async (_, damage, code) => {
    const gateway = await twoVersions()
    await damage()
    expect(await story.command(gateway, by(1, {}))).toMatchObject({
      state: 'refused',
      code,
      serving: { [model]: 2 },
    })
    expect(await gateway.answers()).toBe(2)
  })

  test('quarantines what serves: the previous version answers, and the digest never comes back', async () => {
    const gateway = await twoVersions()
    await story.command(gateway, by(1, { operation: 'quarantine', target: 2 }))
    await gateway.when(() => gateway.state()?.active?.version === 1)
    expect(await gateway.answers()).toBe(1)
    expect(await story.command(gateway, by(2, { target: 2 }))).toMatchObject({ code: 'UNKNOWN_VERSION' })
    await gateway.assign(3, 2)
    expect(gateway.state()?.outcome).toMatchObject({ reason: 'QUARANTINED' })
  })

  test('quarantines what serves, and the baseline answers the same question while the previous version is restored', async () => {
    await story.off(await twoVersions())
    const restoring = Promise.withResolvers<void>()
    const held = (parts: ModelsParts): ModelsParts => ({
      ...parts,
      serving: {
        ...parts.serving,
        load: async (path, identity, signed) => {
          if (identity.version === 1) await restoring.promise
          return parts.serving.load(path, identity, signed)
        },
      },
    })
    const gateway = await story.boot({ wrap: held })
    const ask = async () => {
      const lease = gateway.serving.lease(model)
      const answer = await lease?.answer(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), 1)
      lease?.release()
      return { madeBy: answer?.madeBy, values: answer && [...answer.values] }
    }
    expect((await ask()).madeBy).toMatchObject({ kind: 'model', version: 2 })
    await story.command(gateway, by(1, { operation: 'quarantine', target: 2 }))
    const answered = await ask()
    expect(answered.madeBy).toEqual({ kind: 'baseline', version: 0 })
    expect(answered.values?.every((value) => value >= 1 && value <= 8)).toBe(true)
    restoring.resolve()
    await gateway.when(() => gateway.state()?.active?.version === 1)
    expect((await ask()).madeBy).toMatchObject({ kind: 'model', version: 1 })
  })

  test('can roll back, and install nothing, on a gateway that does not know the time', async () => {
    const before = await twoVersions()
    await story.off(before)
    const gateway = await story.boot({ trustedClock: false, now: 0 })
    await gateway.assign(3, 3)
    expect(gateway.state()?.outcome).toMatchObject({ reason: 'EXPIRED' })
    expect(await story.command(gateway, by(1, { notBefore: 9, expiresAt: 10 }))).toMatchObject({
      state: 'succeeded',
    })
    expect(await story.command(gateway, by(1, { commandId: 'again' }))).toMatchObject({ code: 'REPLAYED' })
    expect(await gateway.answers()).toBe(1)
  })

  test('asks for readings again', async () => {
    const asked: number[] = []
    const resend = async (from: number) => {
      asked.push(from)
      return accept('3 batches')
    }
    const gateway = await story.boot({ resend })
    const result = await story.command(gateway, by(1, { operation: 'resend', target: 17, model: null }))
    expect(result).toMatchObject({ state: 'succeeded', detail: '3 batches' })
    expect(asked).toEqual([17])
  })
})

const noSpace = () => new Failure('NO_SPACE', 'no space left', { retryable: true })
