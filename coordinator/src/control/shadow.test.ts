import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manifestPayloadType, manifestSchema, type Manifest } from '@imlma/protocol/manifest'
import { createSigner, generateKeyPair } from '@imlma/protocol/node'
import {
  desiredPayloadType,
  desiredSchema,
  openEnvelope,
  parseEnvelope,
  sealEnvelope,
} from '@imlma/protocol/trust'
import type { Desired, Envelope } from '@imlma/protocol/trust'
import type { Report } from '@imlma/protocol/wire'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AgentRecord, FleetChange } from '../fleet/fleet.ts'
import { modelDefinitionSchema, toShadowRules } from '../lifecycle/definition.ts'
import { createEffects } from '../lifecycle/effects.ts'
import type { Judge } from '../lifecycle/judge.ts'
import { createLifecycle, type Lifecycle } from '../lifecycle/lifecycle.ts'
import type { Decision, Trigger } from '../registry/events.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import type { Registry } from '../registry/registry.ts'
import { createFleetWait } from '../rollout/fleet-wait.timer.ts'
import { createRollout, type Rollout } from '../rollout/rollout.ts'
import { createRolloutStore } from '../rollout/store.ts'
import { createShadowKeeper, type ShadowKeeper } from '../shadow/keeper.ts'
import { comparedDay } from '../shadow/testing/compared.ts'
import { createArtifactStore } from '../storage/artifacts.fs.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import { followShadows } from './shadows.ts'
import { createSignedVersions } from './signed-versions.ts'
import { createPreparedLearning } from './testing/prepared-versions.fs.ts'

const definition = modelDefinitionSchema.parse({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: 3_600_000,
  horizon: 24,
  trigger: { volume: 1, intervalMs: 1_000, readingsMin: 1 },
})
const trigger: Trigger = { kind: 'volume', evidence: {}, at: 0 }
const signer = createSigner(generateKeyPair().secretKey)
const agent: AgentRecord = {
  site: 'demo',
  agent: 'gw-1',
  presence: { v: 1, state: 'online', bootId: 'b', agentVersion: '0', capabilities: ['shadow'], at: 0 },
  heardAt: 0,
  reported: null,
  windows: {},
  process: null,
}

describe('a version that the gate cannot tell from its champion', () => {
  let folder: string
  let artifacts: ArtifactStore
  let registry: Registry
  let lifecycle: Lifecycle
  let keeper: ShadowKeeper
  let rollout: Rollout
  let end: () => Promise<void>
  let triggers: Trigger[]
  let verdicts: Decision['verdict'][]
  let listeners: Set<(change: FleetChange) => void>
  /** Desired documents of the only agent. */
  let told: Desired[]

  const open = async () => {
    const db = openDatabase(join(folder, 'registry.db'))
    registry = await openRegistry({ db, head: createHeadFile(join(folder, 'head.json')) })
    const states = createStateStore(db)
    const now = () => 1_000
    const onFailure = (error: unknown) => {
      throw error
    }
    listeners = new Set()
    const fleet = {
      agents: () => [agent],
      agent: () => agent,
      subscribe: (listener: (change: FleetChange) => void) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
    const learning = createPreparedLearning(artifacts)
    const judge: Judge = async (question) => {
      const decision = await learning.judge(question)
      return { ...decision, verdict: verdicts.shift() ?? 'reject' }
    }
    const seal = (type: string, document: object) => sealEnvelope(type, document, [signer])
    const signed = await createSignedVersions({ registry, artifacts }, ['load'])
    const client = {
      connected: () => true,
      onConnect: () => () => undefined,
      publish: async (_channel: unknown, _address: unknown, payload: Uint8Array) => {
        told.push(desiredOf(payload))
      },
    }
    rollout = await createRollout(
      {
        client,
        fleet,
        registry,
        store: createRolloutStore(states, now),
        seal,
        envelope: signed.envelope,
        roots: () => ({ version: 1, chain: [] }),
        waits: createFleetWait(),
        now,
        onFailure,
      },
      signed.champions(),
      { site: 'demo' },
    )
    keeper = await createShadowKeeper(
      { registry, fleet, states, now, onFailure },
      new Map([['load', toShadowRules(definition)]]),
    )
    const endShadows = await followShadows({ registry, rollout, onFailure }, [definition])
    let runs = (await registry.numbers('load')).version
    lifecycle = await createLifecycle(
      {
        registry,
        decideTrigger: async () => triggers.shift(),
        concludeShadow: ({ name }) => keeper.conclude(name),
        onStarted: async () => undefined,
        perform: createEffects(
          {
            registry,
            artifacts,
            ...learning,
            judge,
            examine: async () => undefined,
            studies: { begin: async () => ({}), keep: async () => undefined },
            seal,
            rollout,
            outputFolder: join(folder, 'training'),
            codeVersion: 'test',
            now,
          },
          { settleMsMax: 10 },
        ),
        newRunId: () => `run-${(runs += 1)}`,
        now,
        onFailure,
      },
      [definition],
    )
    end = async () => {
      await lifecycle.stop()
      endShadows()
      await rollout.stop()
      signed.close()
      await registry.close()
    }
  }

  const kinds = async () => (await registry.events({})).map(({ event }) => event.kind)
  const completed = (count: number) =>
    vi.waitFor(
      async () => {
        await lifecycle.tick()
        expect((await kinds()).filter((kind) => kind === 'run-completed')).toHaveLength(count)
        expect(lifecycle.progress('load').phase).toBe('waiting')
      },
      { interval: 10, timeout: 10_000 },
    )
  const report = async (from: number, to: number, ratio: number) => {
    const { artifact } = (await registry.version('load', 2))!
    for (let day = from; day <= to; day += 1) {
      const comparison = { model: 'load', champion: 1, challenger: 2, challengerSha256: artifact.sha256 }
      const window = { bootId: 'b', windowStart: day, windowEnd: day + 1 }
      const said: Report = {
        v: 1,
        ...window,
        versions: [],
        comparisons: [{ ...comparison, days: [comparedDay(day, { ratio })] }],
        process: { residentBytes: 0, uptimeS: 0, reconnects: 0 },
      }
      for (const listener of listeners) listener({ kind: 'report', agent, report: said })
    }
  }
  const toldNow = () => {
    const { manifest, mode, shadow } = told.at(-1)!.models['load']!
    return { mode, active: manifestOf(manifest), shadow: shadow && manifestOf(shadow) }
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-control-shadow-'))
    await mkdir(join(folder, 'training'))
    artifacts = await createArtifactStore(join(folder, 'artifacts'))
    told = []
    verdicts = ['promote', 'inconclusive']
    triggers = [trigger, trigger]
    await open()
    await completed(2)
    await vi.waitUntil(() => told.at(-1)?.models['load']?.shadow !== undefined)
  })
  afterEach(async () => {
    await end()
    await rm(folder, { recursive: true, force: true })
  })

  test('runs beside it, signed for nothing else', async () => {
    const { mode, active, shadow } = toldNow()
    expect(mode).toBe('active')
    expect(active).toMatchObject({ version: 1, release: 1 })
    expect(active.mode).toBeUndefined()
    expect(shadow).toMatchObject({ version: 2, release: 2, mode: 'shadow' })
    expect(await registry.version('load', 2)).toMatchObject({
      state: 'inconclusive',
      release: null,
      shadow: { champion: 1, release: 2, ended: null },
    })
  })

  test('serves once live inputs have proved it better, over a kill in the middle', async () => {
    await report(1, 10, 0.9)
    await keeper.flush()
    await end()
    await open()
    await report(8, 60, 0.9)
    await completed(3)
    const version = await registry.champion('load')
    expect(version).toMatchObject({ version: 2, release: 3, shadow: { ended: { reason: 'promoted' } } })
    expect(version?.decision).toMatchObject({ verdict: 'promote', champion: { version: 1 } })
    expect(version?.decision?.checks.map(({ name }) => name)).toContain('sequential-squared')
    const { active, shadow } = toldNow()
    expect(shadow).toBeUndefined()
    expect(active).toMatchObject({ version: 2, release: 3 })
    expect(active.mode).toBeUndefined()
    // The same promises as in shadow, and the decision that the shadow made.
    const before = manifestOf(told.findLast(({ models }) => models['load']?.shadow)!.models['load']!.shadow!)
    const { mode: _mode, ...promised } = before
    const { release, createdAt, decision } = active
    expect(active).toEqual({ ...promised, release, createdAt, decision })
    expect(decision).toMatchObject({ verdict: 'promote' })
    expect((await registry.verify()).ok).toBe(true)
  })

  test('stays what it was when live inputs prove it worse', async () => {
    await report(1, 60, 1.1)
    await vi.waitFor(async () => {
      await lifecycle.tick()
      expect(await registry.version('load', 2)).toMatchObject({
        state: 'rejected',
        release: null,
        shadow: { ended: { reason: 'rejected' } },
      })
    })
    await vi.waitFor(() => expect(toldNow().shadow).toBeUndefined())
    expect(toldNow().active).toMatchObject({ version: 1 })
    expect((await registry.champion('load'))?.version).toBe(1)
  })

  test('keeps its place when another one is undecided, and leaves it to a new champion', async () => {
    triggers = [trigger]
    verdicts = ['inconclusive']
    await completed(3)
    const third = await registry.version('load', 3)
    expect(third?.decision?.shadow).toEqual({
      enters: false,
      detail: 'no shadow: version 2 is in shadow beside version 1',
    })
    expect((await registry.shadow('load'))?.version).toBe(2)

    triggers = [trigger, trigger]
    verdicts = ['promote', 'inconclusive']
    await completed(5)
    await vi.waitFor(() => expect(toldNow().shadow).toMatchObject({ version: 5 }))
    expect(toldNow().active).toMatchObject({ version: 4 })
    expect(await registry.version('load', 2)).toMatchObject({ shadow: { ended: { reason: 'superseded' } } })
    expect(await registry.version('load', 5)).toMatchObject({ shadow: { champion: 4, ended: null } })
  })
})

const manifestOf = (envelope: Envelope): Manifest => {
  const opened = openEnvelope(envelope, { payloadType: manifestPayloadType, schema: manifestSchema })
  if (!opened.ok) throw new Error(opened.refusal.message)
  return opened.value
}

const desiredOf = (payload: Uint8Array): Desired => {
  const envelope = parseEnvelope(payload)
  if (!envelope.ok) throw new Error(envelope.refusal.message)
  const opened = openEnvelope(envelope.value, { payloadType: desiredPayloadType, schema: desiredSchema })
  if (!opened.ok) throw new Error(opened.refusal.message)
  return opened.value
}
