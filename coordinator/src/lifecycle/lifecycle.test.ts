import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Decision, RegistryEvent, Trigger } from '../registry/events.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import type { Registry } from '../registry/registry.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { modelDefinitionSchema } from './definition.ts'
import { createLifecycle, type Lifecycle, type LifecycleParts, type PerformEffect } from './lifecycle.ts'
import type { RunEffect } from './run.ts'

const definition = modelDefinitionSchema.parse({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: 900_000,
  horizon: 96,
  trigger: { volume: 10, intervalMs: 1_000, readingsMin: 1 },
})
const sha = (letter: string) => letter.repeat(64)
const window = { start: 0, end: 10 }
const trigger: Trigger = { kind: 'volume', evidence: { filled: 10 }, at: 5 }
const figures = { mse: 1, mae: 1, r2: 0.5 }

const decision = (verdict: Decision['verdict']): Decision => ({
  verdict,
  reasons: [],
  checks: [],
  window,
  rows: 1,
  champion: { ...figures, version: null, learner: 'seasonal-naive' },
  challenger: figures,
})

/** What each effect finds out when all goes well. */
const factOf = (
  effect: RunEffect,
  version: number,
  verdict: Decision['verdict'],
  shadow?: Decision['shadow'],
): RegistryEvent => {
  const base = { model: 'load', run: effect.state.run, version }
  switch (effect.kind) {
    case 'freeze':
      return {
        ...base,
        kind: 'dataset-frozen',
        dataset: {
          sha256: sha('d'),
          bytes: 1,
          series: 1,
          readings: 10,
          window,
          trainEnd: 5,
          evaluation: window,
          provenance: [],
        },
      }
    case 'train':
      return {
        ...base,
        kind: 'version-trained',
        parent: null,
        learner: 'ridge',
        parameters: {},
        seed: 1,
        codeVersion: '0',
        study: null,
        datasetSha256: sha('d'),
        rows: 1,
        artifact: { sha256: sha('a'), bytes: 1 },
        candidateSha256: sha('c'),
        seconds: 1,
      }
    case 'gate':
      return {
        ...base,
        kind: 'version-decided',
        decision: { ...decision(verdict), ...(shadow && { shadow }) },
      }
    case 'shadow':
      return {
        ...base,
        kind: 'shadow-started',
        champion: 1,
        release: 10 + version,
        keyid: sha('b'),
        envelopeSha256: sha('f'),
      }
    case 'sign':
    case 'confirm':
      return { ...base, kind: 'version-signed', release: version, keyid: sha('b'), envelopeSha256: sha('e') }
    case 'assign':
      return { ...base, kind: 'version-assigned', agents: ['gw-1'] }
    case 'await-fleet':
    case 'close':
      return {
        ...base,
        kind: 'run-completed',
        delayMs: {
          detect: 0,
          queue: 0,
          train: 0,
          gate: 0,
          sign: null,
          publish: null,
          fetch: null,
          verify: null,
          swap: null,
          total: 0,
        },
      }
  }
}

describe('the life of a model', () => {
  let folder: string
  let registry: Registry
  let lifecycle: Lifecycle
  /** Effects that were begun, in order. */
  let begun: string[]
  let started: Trigger[]
  /** What the shadow's book says at each look. */
  let concluded: (readonly RegistryEvent[])[]

  const openFolder = () =>
    openRegistry({
      db: openDatabase(join(folder, 'registry.db')),
      head: createHeadFile(join(folder, 'head.json')),
    })

  const live = async (
    perform: PerformEffect,
    triggers: (Trigger | undefined)[],
    changes: Partial<LifecycleParts> = {},
  ): Promise<Lifecycle> =>
    createLifecycle(
      {
        registry,
        decideTrigger: async () => triggers.shift(),
        concludeShadow: async () => concluded.shift() ?? [],
        onStarted: async (_model, what) => void started.push(what),
        perform: async (model, effect, context) => {
          begun.push(effect.kind)
          return perform(model, effect, context)
        },
        newRunId: () => `run-${begun.length}`,
        now: () => 1_000,
        onFailure: (error) => {
          throw error
        },
        ...changes,
      },
      [definition],
    )

  const kinds = async () => (await registry.events({})).map(({ event }) => event.kind)
  const untilWaiting = () =>
    vi.waitFor(() => expect(lifecycle.progress('load').phase).toBe('waiting'), { interval: 5 })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-lifecycle-'))
    registry = await openFolder()
    begun = []
    started = []
    concluded = []
  })
  afterEach(async () => {
    await lifecycle.stop()
    await registry.close()
    await rm(folder, { recursive: true, force: true })
  })

  const promoting: PerformEffect = async (_model, effect) => [factOf(effect, 1, 'promote')]
  const promoted = ['freeze', 'train', 'gate', 'sign', 'assign', 'await-fleet']

  test('goes from the trigger to the fleet, each step once', async () => {
    lifecycle = await live(promoting, [trigger])
    await lifecycle.tick()
    await vi.waitFor(async () => expect(await kinds()).toContain('run-completed'), { interval: 5 })
    expect(begun).toEqual(promoted)
    expect(started).toEqual([trigger])
    expect((await registry.champion('load'))?.version).toBe(1)
  })

  test('ends at the gate when the challenger is not better', async () => {
    lifecycle = await live(async (_model, effect) => [factOf(effect, 1, 'reject')], [trigger])
    await lifecycle.tick()
    await vi.waitFor(async () => expect(await kinds()).toContain('run-completed'), { interval: 5 })
    expect(begun).toEqual(['freeze', 'train', 'gate', 'close'])
    expect(await registry.champion('load')).toBeUndefined()
  })

  test('runs one training at a time, however often it is looked at', async () => {
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    lifecycle = await live(
      async (_model, effect) => {
        if (effect.kind === 'train') await gate
        return [factOf(effect, 1, 'reject')]
      },
      [trigger, trigger, undefined],
    )
    await lifecycle.tick()
    await vi.waitFor(() => expect(begun).toContain('train'), { interval: 5 })
    for (let look = 0; look < 5; look += 1) await lifecycle.tick()
    expect(begun.filter((kind) => kind === 'freeze')).toHaveLength(1)
    release()
    await untilWaiting()
  })

  test.each(promoted)('that was killed during %s goes on with exactly that', async (step) => {
    lifecycle = await live(
      (_model, effect, { signal }) =>
        effect.kind === step
          ? new Promise((resolve) => signal.addEventListener('abort', () => resolve([])))
          : promoting(definition, effect, { signal, onProgress: () => undefined, events: [] }),
      [trigger],
    )
    await lifecycle.tick()
    await vi.waitFor(() => expect(begun.at(-1)).toBe(step), { interval: 5 })
    await lifecycle.stop()
    const before = await kinds()
    await registry.close()

    registry = await openFolder()
    begun = []
    lifecycle = await live(promoting, [])
    await lifecycle.tick()
    await vi.waitFor(async () => expect(await kinds()).toContain('run-completed'), { interval: 5 })
    expect(begun).toEqual(promoted.slice(promoted.indexOf(step)))
    expect((await kinds()).slice(0, before.length)).toEqual(before)
    expect(new Set(await kinds()).size).toBe((await kinds()).length)
    // The trigger's book is told again: the kill may have come before it was told the first time.
    expect(started).toEqual([trigger, trigger])
  })

  test('goes no further than its start until that is told', async () => {
    let isFull = true
    const failures: unknown[] = []
    lifecycle = await live(promoting, [trigger], {
      onStarted: async (_model, what) => {
        if (isFull) throw new Failure('NO_SPACE', 'the disk is full')
        started.push(what)
      },
      onFailure: (error) => failures.push(error),
    })
    for (let looks = 1; looks <= 2; looks += 1) {
      await lifecycle.tick()
      await vi.waitFor(() => expect(failures).toHaveLength(looks), { interval: 5 })
    }
    expect(begun).toEqual([])
    isFull = false
    await vi.waitFor(
      async () => {
        await lifecycle.tick()
        expect(await kinds()).toContain('run-completed')
      },
      { interval: 5 },
    )
    expect(begun).toEqual(promoted)
    expect(started).toEqual([trigger])
  })

  describe('with a version in shadow', () => {
    const shadow = { enters: true, detail: 'goes on in shadow' }
    const undecided: PerformEffect = async (_model, effect) => [factOf(effect, 1, 'inconclusive', shadow)]
    const ends = (
      reason: 'promoted' | 'rejected',
      verdict: 'promote' | 'reject',
    ): readonly RegistryEvent[] => {
      const about = { model: 'load', run: 'run-0', version: 1 }
      return [
        { kind: 'shadow-ended', ...about, reason, evidence: { days: 9 } },
        { kind: 'version-decided', ...about, decision: decision(verdict) },
      ]
    }
    const confirming = ['confirm', 'assign', 'await-fleet']
    const enter = async () => {
      lifecycle = await live(undecided, [trigger])
      await lifecycle.tick()
      await vi.waitFor(async () => expect(await kinds()).toContain('run-completed'), { interval: 5 })
      await untilWaiting()
    }
    const completions = async () => (await kinds()).filter((kind) => kind === 'run-completed').length

    test('the training ends, and the next one is not held up', async () => {
      await enter()
      expect(begun).toEqual(['freeze', 'train', 'gate', 'shadow', 'close'])
      expect((await registry.shadow('load'))?.version).toBe(1)
      await lifecycle.stop()
      begun = ['next']
      lifecycle = await live(async (_model, effect) => [factOf(effect, 2, 'reject')], [trigger])
      await lifecycle.tick()
      await vi.waitFor(async () => expect(await completions()).toBe(2), { interval: 5 })
      expect(begun).toEqual(['next', 'freeze', 'train', 'gate', 'close'])
      expect((await registry.shadow('load'))?.version).toBe(1)
    })

    test('a proof takes it to the fleet without another training', async () => {
      await enter()
      begun = []
      concluded = [ends('promoted', 'promote')]
      await lifecycle.tick()
      await vi.waitFor(async () => expect(await completions()).toBe(2), { interval: 5 })
      expect(begun).toEqual(confirming)
      expect(await registry.champion('load')).toMatchObject({ version: 1, release: 1 })
      expect(await registry.shadow('load')).toBeUndefined()
      expect(started).toHaveLength(1)
    })

    test('a rejection is written down, and nothing follows', async () => {
      await enter()
      begun = []
      concluded = [ends('rejected', 'reject')]
      await lifecycle.tick()
      await vi.waitFor(async () => expect(await kinds()).toContain('shadow-ended'), { interval: 5 })
      await untilWaiting()
      expect(begun).toEqual([])
      expect((await registry.version('load', 1))?.state).toBe('rejected')
    })

    test.each(confirming)('killed during %s after a proof, it goes on with exactly that', async (step) => {
      await enter()
      await lifecycle.stop()
      begun = []
      concluded = [ends('promoted', 'promote')]
      lifecycle = await live(
        (model, effect, context) =>
          effect.kind === step
            ? new Promise((resolve) => context.signal.addEventListener('abort', () => resolve([])))
            : undecided(model, effect, context),
        [],
      )
      await lifecycle.tick()
      await vi.waitFor(() => expect(begun.at(-1)).toBe(step), { interval: 5 })
      await lifecycle.stop()
      await registry.close()

      registry = await openFolder()
      begun = []
      lifecycle = await live(undecided, [])
      await lifecycle.tick()
      await vi.waitFor(async () => expect(await completions()).toBe(2), { interval: 5 })
      expect(begun).toEqual(confirming.slice(confirming.indexOf(step)))
      expect((await registry.verify()).ok).toBe(true)
    })
  })

  test('records why a step failed and waits for the next trigger', async () => {
    lifecycle = await live(async () => {
      throw new Failure('INCOMPLETE', '12 % of the readings are there', { hint: 'look at gw-1' })
    }, [trigger])
    await lifecycle.tick()
    await vi.waitFor(async () => expect(await kinds()).toContain('run-failed'), { interval: 5 })
    const [last] = await registry.latestEvents(1)
    expect(last?.event).toMatchObject({ code: 'INCOMPLETE', hint: 'look at gw-1' })
    expect(await kinds()).not.toContain('alert-raised')
    await untilWaiting()
  })

  test('raises an alert when what is stored is not what was frozen', async () => {
    lifecycle = await live(
      async (_model, effect) => {
        if (effect.kind === 'train') throw new Failure('DATASET_CHANGED', 'the hash differs')
        return [factOf(effect, 1, 'promote')]
      },
      [trigger],
    )
    await lifecycle.tick()
    await vi.waitFor(async () => expect(await kinds()).toContain('run-failed'), { interval: 5 })
    const alert = (await registry.events({})).find(({ event }) => event.kind === 'alert-raised')?.event
    expect(alert).toMatchObject({ alert: 'DATASET_CHANGED', level: 'act', model: 'load' })
  })
})
