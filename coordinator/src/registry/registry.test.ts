import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../storage/database.sqlite.ts'
import type { ChainedEvent, RegistryEvent } from './events.ts'
import { createHeadFile } from './head.fs.ts'
import { openRegistry } from './registry.kysely.ts'
import type { Registry } from './registry.ts'
import { dataset, decidedRun, decisionOf, deployed, signed } from './testing/facts.ts'

describe('the registry', () => {
  let folder: string
  const open = () =>
    openRegistry({
      db: openDatabase(join(folder, 'registry.db')),
      head: createHeadFile(join(folder, 'registry.head.json')),
    })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-registry-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('tells of a version everything that its events said', async () => {
    const registry = await open()
    const { delayMs } = completed
    await registry.append(decidedRun('load', 1), 5_000)
    await registry.append([signed('load', 1)], 5_001)
    await registry.append([deployed('load', 1, 'gw-2'), deployed('load', 1, 'gw-1', 'refused')], 5_002)
    await registry.append([deployed('load', 1, 'gw-1')], 5_003)
    await registry.append([completed], 5_004)
    expect(await registry.version('load', 1)).toEqual({
      model: 'load',
      version: 1,
      run: 'run-1',
      parent: null,
      createdAt: 5_000,
      trigger: { kind: 'volume', evidence: { readingsSince: 20_000 }, at: 10_001 },
      dataset,
      learner: 'ridge',
      parameters: { lambda: 10 },
      seed: 7,
      codeVersion: '0.1.0',
      study: null,
      rows: 5_000,
      trainSeconds: 1.5,
      artifact: { sha256: 'a'.repeat(64), bytes: 12_345 },
      decision: decisionOf('promote', null),
      release: 1,
      keyid: 'e'.repeat(64),
      envelopeSha256: 'f'.repeat(64),
      state: 'promoted',
      shadow: null,
      deployments: [
        { agent: 'gw-1', state: 'committed', reason: null, detail: '', at: 5_003 },
        { agent: 'gw-2', state: 'committed', reason: null, detail: '', at: 5_002 },
      ],
      delayMs,
    })
    await registry.close()
  })

  test('calls the latest promoted version the champion, whatever was rejected after it', async () => {
    const registry = await open()
    expect(await registry.champion('load')).toBeUndefined()
    await registry.append([...decidedRun('load', 1), signed('load', 1)], 1)
    await registry.append([...decidedRun('load', 2), signed('load', 2)], 2)
    await registry.append(decidedRun('load', 3, 'reject'), 3)
    await registry.append(decidedRun('load', 4, 'inconclusive'), 4)
    await registry.append([...decidedRun('other', 1), signed('other', 1)], 5)
    expect((await registry.champion('load'))?.version).toBe(2)
    expect((await registry.versions('load')).map(({ version, state }) => [version, state])).toEqual([
      [1, 'promoted'],
      [2, 'promoted'],
      [3, 'rejected'],
      [4, 'inconclusive'],
    ])
    await registry.close()
  })

  test('leaves the champion where it is while a promoted version has no signature', async () => {
    const registry = await open()
    await registry.append([...decidedRun('load', 1), signed('load', 1)], 1)
    // A full disk: nothing could be signed, nothing is served, and the next training is compared with version 1.
    const failed = { code: 'NO_SPACE', message: 'no space left', hint: '' }
    await registry.append(
      [...decidedRun('load', 2), { kind: 'run-failed', model: 'load', run: 'run-2', ...failed }],
      2,
    )
    expect((await registry.champion('load'))?.version).toBe(1)
    await registry.close()
  })

  test('counts versions and releases on from the highest, also after a restart', async () => {
    const first = await open()
    expect(await first.numbers('load')).toEqual({ version: 0, release: 0 })
    await first.append([...decidedRun('load', 1), signed('load', 1)], 1)
    await first.append(decidedRun('load', 2, 'reject'), 2)
    await first.close()
    const again = await open()
    expect(await again.numbers('load')).toEqual({ version: 2, release: 1 })
    await again.append(decidedRun('load', 3), 3)
    expect((await again.verify()).ok).toBe(true)
    await again.close()
  })

  describe('of a version in shadow', () => {
    const started: RegistryEvent = {
      kind: 'shadow-started',
      model: 'load',
      run: 'run-2',
      version: 2,
      champion: 1,
      release: 2,
      keyid: 'e'.repeat(64),
      envelopeSha256: 'b'.repeat(64),
    }
    const ended = (reason: 'promoted' | 'rejected'): RegistryEvent => {
      const evidence = { days: 9, evidence: 41 }
      return { kind: 'shadow-ended', model: 'load', run: 'run-2', version: 2, reason, evidence }
    }
    const decided = (verdict: 'promote' | 'reject'): RegistryEvent => {
      return { ...decidedRun('load', 2, verdict).at(-1)! }
    }
    let registry: Registry
    beforeEach(async () => {
      registry = await open()
      await registry.append([...decidedRun('load', 1), signed('load', 1)], 1)
      await registry.append(decidedRun('load', 2, 'inconclusive'), 2)
      await registry.append([started, { ...completed, run: 'run-2', version: 2 }], 3)
    })
    afterEach(() => registry.close())

    test('knows the champion that it stands beside, and counts its release', async () => {
      const { champion, release, envelopeSha256, ...version } = {
        ...(await registry.shadow('load'))!,
        ...(await registry.shadow('load'))!.shadow!,
      }
      expect({ champion, release, envelopeSha256 }).toEqual({
        champion: 1,
        release: 2,
        envelopeSha256: started.envelopeSha256,
      })
      expect(version).toMatchObject({ version: 2, state: 'inconclusive', startedAt: 3, ended: null })
      expect(await registry.numbers('load')).toEqual({ version: 2, release: 2 })
      expect((await registry.champion('load'))?.version).toBe(1)
    })

    test('opens its run again when it is promoted, whatever was trained since', async () => {
      await registry.append(decidedRun('load', 3, 'reject'), 4)
      expect((await registry.runEvents('load'))[0]?.event).toMatchObject({ run: 'run-3' })
      await registry.append([ended('promoted'), decided('promote')], 5)
      await registry.append([signed('load', 2, 3)], 6)
      expect((await registry.runEvents('load')).map(({ event }) => event.kind)).toEqual([
        'shadow-ended',
        'version-decided',
        'version-signed',
      ])
      expect(await registry.shadow('load')).toBeUndefined()
      expect(await registry.champion('load')).toMatchObject({
        version: 2,
        release: 3,
        shadow: { ended: { at: 5, reason: 'promoted', evidence: { days: 9, evidence: 41 } } },
      })
      expect((await registry.verify()).ok).toBe(true)
    })

    test('leaves the latest run as it is when it is rejected', async () => {
      await registry.append(decidedRun('load', 3, 'inconclusive'), 4)
      await registry.append([ended('rejected'), decided('reject')], 5)
      expect((await registry.runEvents('load'))[0]?.event).toMatchObject({ run: 'run-3' })
      expect(await registry.version('load', 2)).toMatchObject({
        state: 'rejected',
        shadow: { ended: { reason: 'rejected' } },
      })
      expect((await registry.verify()).ok).toBe(true)
    })
  })

  test('gives the facts of the latest run with those of its version', async () => {
    const registry = await open()
    expect(await registry.runEvents('load')).toEqual([])
    await registry.append([...decidedRun('load', 1), signed('load', 1)], 1)
    await registry.append(decidedRun('load', 2).slice(0, 1), 2)
    const kinds = async () => (await registry.runEvents('load')).map(({ event }) => event.kind)
    expect(await kinds()).toEqual(['retraining-triggered'])
    await registry.append([deployed('load', 1, 'gw-1'), ...decidedRun('other', 2)], 3)
    await registry.append([...decidedRun('load', 2).slice(1), signed('load', 2)], 4)
    await registry.append([deployed('load', 2, 'gw-1')], 5)
    expect(await kinds()).toEqual([
      'retraining-triggered',
      'dataset-frozen',
      'version-trained',
      'version-decided',
      'version-signed',
      'version-deployed',
    ])
    await registry.close()
  })

  test('writes all events of a call or none, and goes on after one it does not take', async () => {
    const registry = await open()
    const outOfOrder = decidedRun('load', 1).toReversed()
    const [refused, taken] = await Promise.allSettled([
      registry.append(outOfOrder, 1),
      registry.append(decidedRun('load', 1), 2),
    ])
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'EVENT_REFUSED' } })
    expect(taken.status).toBe('fulfilled')
    await expect(registry.append(decidedRun('load', 1), 3)).rejects.toMatchObject({ code: 'EVENT_REFUSED' })
    expect((await registry.events({})).map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
    expect(await registry.verify()).toMatchObject({ ok: true, value: { events: 4 } })
    await registry.close()
  })

  test('keeps appends that come at once in their order and tells listeners in that order', async () => {
    const registry = await open()
    const heard: ChainedEvent[] = []
    const end = registry.subscribe((event) => heard.push(event))
    await registry.append(decidedRun('load', 1), 0)
    const agents = Array.from({ length: 200 }, (_, index) => `gw-${index}`)
    await Promise.all(agents.map((agent) => registry.append([deployed('load', 1, agent)], 1)))
    end()
    await registry.append([deployed('load', 1, 'late')], 2)
    expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 204 }, (_, index) => index + 1))
    expect(heard.slice(4).map(({ event }) => 'agent' in event && event.agent)).toEqual(agents)
    expect((await registry.latestEvents(1)).map(({ seq }) => seq)).toEqual([205])
    expect(await registry.events({ fromSeq: 3, limit: 2 })).toEqual(heard.slice(2, 4))
    await registry.close()
  })

  test('a listener that throws neither stops the append nor the other listeners', async () => {
    const errors: unknown[] = []
    const registry = await openRegistry(
      {
        db: openDatabase(join(folder, 'registry.db')),
        head: createHeadFile(join(folder, 'registry.head.json')),
      },
      { onListenerError: (cause) => errors.push(cause) },
    )
    let heard = 0
    registry.subscribe(() => {
      throw new Error('a listener broke')
    })
    registry.subscribe(() => (heard += 1))
    await registry.append(decidedRun('load', 1), 1)
    expect([heard, errors.length]).toEqual([4, 4])
    await registry.close()
  })

  test('refuses what is no event before anything is written', async () => {
    const registry = await open()
    const broken = { ...signed('load', 1), release: Number.NaN }
    await expect(registry.append([broken], 1)).rejects.toThrow('release')
    expect(await registry.verify()).toMatchObject({ ok: true, value: { events: 0 } })
    await registry.close()
  })
})

const completed = {
  kind: 'run-completed' as const,
  model: 'load',
  run: 'run-1',
  version: 1,
  delayMs: {
    detect: 1,
    queue: 2,
    train: 3,
    gate: 4,
    sign: 5,
    publish: 6,
    fetch: 7,
    verify: 8,
    swap: 9,
    total: 45,
  },
}
