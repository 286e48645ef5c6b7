import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Manifest } from '@imlma/protocol/manifest'
import { createActiveModels, type ActiveModels } from '../../serving/active-models.ts'
import { loadModel } from '../../serving/session.onnx.ts'
import { model, release, sealCommand, sealDesired, type Key, type Released } from '../testing/gateway.fs.ts'
import {
  artifact,
  createStory,
  desired,
  keys,
  version,
  type Booted,
  type Story,
} from '../testing/story.contract.ts'

let story: Story
const beside: ActiveModels[] = []
beforeEach(async () => {
  story = await createStory()
})
afterEach(async () => {
  await story.end()
  for (const shadows of beside.splice(0)) await shadows.close()
})

/** Version `n`, signed to run beside the champion only. */
const shadowOnly = (n: number, changes: Partial<Manifest> = {}, key: Key = keys.release): Released =>
  release(key, n, artifact(n), { mode: 'shadow', ...changes })

/** An assignment of `active` (nothing where it is undefined) with `shadow` beside it. */
const assignment = (counter: number, active: Released | undefined, shadow: Released): Uint8Array => {
  const entry =
    active === undefined
      ? { manifest: shadow.envelope, mode: 'shadow' }
      : { manifest: active.envelope, mode: 'active', shadow: shadow.envelope }
  return sealDesired(keys.director, counter, {}, { models: { [model]: entry } })
}

const boot = async () => {
  const shadows = createActiveModels({ load: loadModel, now: () => performance.now() })
  beside.push(shadows)
  const shadowServing = { start: shadows.activate, stop: shadows.deactivate, onRun: shadows.onRun }
  const gateway = await story.boot({ shadowServing })
  const shadow = () => gateway.state()?.shadow
  const comesTo = (state: string | undefined) =>
    expect.poll(() => shadow()?.state, { interval: 2 }).toBe(state)
  return {
    ...gateway,
    shadow,
    comesTo,
    /** The version that really runs in shadow: what it computes. */
    runs: async () => (await shadows.active(model)?.run(Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0), 1))?.[1],
    /** Switches it off in order. */
    off: () => story.off(gateway),
  }
}
type Gateway = Awaited<ReturnType<typeof boot>>

/** A gateway that serves version 1 and runs version 2 in shadow. */
const bootRunning = async (challenger = shadowOnly(2)): Promise<Gateway> => {
  const gateway = await boot()
  await gateway.assign(1, 1)
  await gateway.models.desired(assignment(2, version(1), challenger))
  await gateway.comesTo('running')
  return gateway
}
const files = () => readdir(join(story.folder(), 'models'))
const expectChampion = async (gateway: Pick<Booted, 'answers' | 'state'>, n = 1) => {
  expect(await gateway.answers()).toBe(n)
  expect(gateway.state()?.active?.version).toBe(n)
}

describe('a challenger in shadow', () => {
  test('runs beside the champion, which answers, and raises nothing that was accepted', async () => {
    const gateway = await bootRunning()
    expect(await gateway.runs()).toBe(2)
    await expectChampion(gateway)
    expect(gateway.state()).toMatchObject({
      phase: 'idle',
      releaseMax: 1,
      outcome: { version: 1, state: 'committed' },
      shadow: { version: 2, release: 2, sha256: version(2).sha256, state: 'running', reason: null },
    })
    expect(gateway.alarms).toEqual([])
    expect(gateway.failures).toEqual([])
  })

  test('may be told alone: what is served stays', async () => {
    const gateway = await boot()
    await gateway.assign(1, 1)
    await gateway.models.desired(assignment(2, undefined, version(2)))
    await gateway.comesTo('running')
    await expectChampion(gateway)
    expect(gateway.models.reportedModels().desiredCounter).toBe(2)
  })

  test('ends when it is not named any more, and its file goes', async () => {
    const gateway = await bootRunning()
    await gateway.models.desired(desired(3, 1))
    await gateway.comesTo(undefined)
    expect(gateway.shadow()).toBeNull()
    expect(await gateway.runs()).toBeUndefined()
    await expectChampion(gateway)
    await expect
      .poll(files)
      .toEqual([`${version(1).sha256}.manifest.json`, `${version(1).sha256}.onnx`].toSorted())
  })

  test('makes room for another one', async () => {
    const gateway = await bootRunning()
    await gateway.models.desired(assignment(3, version(1), shadowOnly(3)))
    await expect.poll(gateway.runs, { interval: 2 }).toBe(3)
    expect(await files()).not.toContain(`${version(2).sha256}.onnx`)
  })

  test('goes on after a restart, without the control centre', async () => {
    const before = await bootRunning()
    await before.off()
    story.centre.artifacts.clear()
    const after = await boot()
    await after.comesTo('running')
    expect(await after.runs()).toBe(2)
    await expectChampion(after)
  })

  test('that is told again with every connect is not fetched or loaded again', async () => {
    const gateway = await bootRunning()
    const fetches = story.centre.fetches.length
    await gateway.models.desired(assignment(2, version(1), shadowOnly(2)))
    gateway.models.connected()
    await gateway.models.desired(assignment(2, version(1), shadowOnly(2)))
    expect(gateway.shadow()?.state).toBe('running')
    expect(story.centre.fetches.length).toBe(fetches)
  })
})

describe('what was signed for shadow only', () => {
  const expectRefused = (gateway: Gateway) => {
    expect(gateway.state()?.outcome).toMatchObject({ version: 2, state: 'refused', reason: 'SHADOW_ONLY' })
    expect(gateway.alarms).toContainEqual(
      expect.objectContaining({
        kind: 'security',
        level: 'act',
        evidence: expect.objectContaining({ code: 'SHADOW_ONLY' }),
      }),
    )
  }
  const promotion = (counter: number) =>
    sealDesired(keys.director, counter, { [model]: shadowOnly(2).envelope })

  test('is not served on the director’s word', async () => {
    const gateway = await boot()
    await gateway.assign(1, 1)
    await gateway.models.desired(promotion(2))
    expectRefused(gateway)
    await expectChampion(gateway)
  })

  test('is not served while it runs in shadow either', async () => {
    const gateway = await bootRunning()
    await gateway.models.desired(promotion(3))
    expectRefused(gateway)
    await expectChampion(gateway)
  })

  test('cannot be rolled back to', async () => {
    const gateway = await bootRunning()
    const order = sealCommand(keys.technician, { operation: 'rollback', target: 2, counter: 1 })
    expect(await story.command(gateway, order)).toMatchObject({ state: 'refused', code: 'SHADOW_ONLY' })
    // Refused before anything was tried.
    expect(gateway.state()?.outcome).toMatchObject({ version: 1, state: 'committed' })
    await expectChampion(gateway)
  })

  test('is no champion after the state file was lost', async () => {
    await (await bootRunning()).off()
    await rm(join(story.folder(), 'state.json'))
    const gateway = await boot()
    await expectChampion(gateway)
    expect(gateway.state()).toMatchObject({ releaseMax: 1, quarantined: [], previous: null })
  })

  test('serves once it was released without that word, and is not fetched again', async () => {
    const gateway = await bootRunning()
    const fetches = story.centre.fetches.length
    const promoted = release(keys.release, 2, artifact(2), { release: 3 })
    await gateway.models.desired(sealDesired(keys.director, 3, { [model]: promoted.envelope }))
    await gateway.idle()
    await expectChampion(gateway, 2)
    expect(gateway.shadow()).toBeNull()
    expect(story.centre.fetches.length).toBe(fetches)
    await gateway.off()
    const after = await boot()
    await expectChampion(after, 2)
  })
})

describe('a shadow and what serves', () => {
  test('a version that may serve stays on disk as a way back when its shadow ends', async () => {
    const gateway = await boot()
    await gateway.assign(1, 1)
    await gateway.assign(2, 2)
    // Signed for shadow only by now, and still the version that served before.
    await gateway.models.desired(assignment(3, version(2), shadowOnly(1)))
    await gateway.comesTo('running')
    await gateway.models.desired(desired(4, 2))
    await gateway.comesTo(undefined)
    const order = sealCommand(keys.technician, { operation: 'rollback', target: 'previous', counter: 1 })
    expect(await story.command(gateway, order)).toMatchObject({ state: 'succeeded' })
    await expectChampion(gateway, 1)
  })

  test('a version that may serve and never did stays on disk for a while, too', async () => {
    const gateway = await bootRunning(version(2))
    await gateway.models.desired(desired(3, 1))
    await gateway.comesTo(undefined)
    expect(await gateway.runs()).toBeUndefined()
    const order = sealCommand(keys.technician, { operation: 'rollback', target: 2, counter: 1 })
    expect(await story.command(gateway, order)).toMatchObject({ state: 'succeeded' })
    await expectChampion(gateway, 2)
  })

  test('a version whose manifest was lost, and came back for shadow only, serves when it is assigned', async () => {
    const gateway = await boot()
    await gateway.assign(1, 1)
    await gateway.assign(2, 2)
    await rm(story.fileOf(1, '.manifest.json'))
    await gateway.models.desired(assignment(3, version(2), shadowOnly(1)))
    await gateway.comesTo('running')
    await gateway.assign(4, 1)
    await expectChampion(gateway, 1)
  })

  test('a technician who rolls back to it ends its shadow', async () => {
    const gateway = await bootRunning(version(2))
    const order = sealCommand(keys.technician, { operation: 'rollback', target: 2, counter: 1 })
    expect(await story.command(gateway, order)).toMatchObject({ state: 'succeeded' })
    await gateway.comesTo('refused')
    expect(gateway.shadow()).toMatchObject({ reason: 'SUPERSEDED' })
    expect(await gateway.runs()).toBeUndefined()
    await expectChampion(gateway, 2)
  })

  test('a technician who quarantines it ends it for good', async () => {
    const gateway = await bootRunning()
    const order = sealCommand(keys.technician, { operation: 'quarantine', target: 2, counter: 1 })
    expect(await story.command(gateway, order)).toMatchObject({ state: 'succeeded' })
    await gateway.comesTo('refused')
    expect(gateway.shadow()).toMatchObject({ reason: 'QUARANTINED' })
    expect(await gateway.runs()).toBeUndefined()
    await gateway.models.desired(assignment(3, version(1), shadowOnly(2)))
    expect(gateway.shadow()).toMatchObject({ state: 'refused', reason: 'QUARANTINED' })
    expect(await files()).not.toContain(`${version(2).sha256}.onnx`)
    await expectChampion(gateway)
  })
})

describe('a shadow is refused, and the champion untouched,', () => {
  const expectRefusal = async (challenger: Released, reason: string): Promise<Gateway> => {
    const gateway = await boot()
    await gateway.assign(1, 1)
    await gateway.models.desired(assignment(2, version(1), challenger))
    await gateway.comesTo('refused')
    expect(gateway.shadow()).toMatchObject({ version: challenger.manifest.version, reason })
    await expectChampion(gateway)
    expect(gateway.state()).toMatchObject({ quarantined: [], outcome: { version: 1 } })
    await expect.poll(gateway.codes, { interval: 2 }).toEqual([reason])
    return gateway
  }

  test('when its bytes were changed on the way; only another one is tried', async () => {
    story.centre.artifacts.set(
      version(2).sha256,
      version(2).bytes.map((byte, at) => (at === 100 ? byte ^ 1 : byte)),
    )
    const gateway = await expectRefusal(shadowOnly(2), 'BAD_DIGEST')
    const fetches = story.centre.fetches.length
    await gateway.models.desired(assignment(3, version(1), shadowOnly(2)))
    expect(story.centre.fetches.length).toBe(fetches)
    await gateway.models.desired(assignment(4, version(1), shadowOnly(3)))
    await gateway.comesTo('running')
  })

  test('when the director signed its manifest', async () => {
    await expectRefusal(shadowOnly(2, {}, keys.director), 'BAD_SIGNATURE')
  })

  test('when it is slower than it was signed to be', async () => {
    const { reference } = shadowOnly(2).manifest
    await expectRefusal(shadowOnly(2, { reference: { ...reference, latencyMsBudget: 1e-6 } }), 'LATENCY')
  })

  test('when it does not answer as it was signed', async () => {
    await expectRefusal(shadowOnly(2, { golden: version(3).manifest.golden }), 'GOLDEN_MISMATCH')
  })

  test('while nobody hands it out; the next connect tries again', async () => {
    story.centre.artifacts.delete(version(2).sha256)
    const gateway = await expectRefusal(shadowOnly(2), 'FETCH_FAILED')
    story.centre.artifacts.set(version(2).sha256, version(2).bytes)
    gateway.models.connected()
    await gateway.comesTo('running')
  })
})

describe('an agent that ends while a challenger runs in shadow', () => {
  test('without a word, three times, quarantines it; the champion serves', async () => {
    await bootRunning()
    for (let kill = 1; kill < 3; kill += 1) {
      story.forget()
      await (await boot()).comesTo('running')
    }
    story.forget()
    const last = await boot()
    expect(last.shadow()).toMatchObject({ state: 'refused', reason: 'CRASHED' })
    expect(last.state()?.quarantined).toEqual([version(2).sha256])
    expect(await last.runs()).toBeUndefined()
    await expectChampion(last)
    expect(await files()).toContain(`${version(2).sha256}.quarantined`)
  })

  test('in order, as often as it likes, does it no harm', async () => {
    await (await bootRunning()).off()
    for (let restart = 1; restart <= 4; restart += 1) {
      const gateway = await boot()
      await gateway.comesTo('running')
      expect(gateway.alarms).toEqual([])
      await gateway.off()
    }
  })
})
