import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Comparison, Report } from '@imlma/protocol/wire'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AgentRecord, FleetChange } from '../fleet/fleet.ts'
import type { RegistryEvent } from '../registry/events.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import type { Registry } from '../registry/registry.ts'
import { decidedRun, signed } from '../registry/testing/facts.ts'
import { openDatabase, type RegistryDatabase } from '../storage/database.sqlite.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import { shadowRules } from './book.ts'
import { createShadowKeeper, type ShadowKeeper } from './keeper.ts'
import { comparedDay } from './testing/compared.ts'

const artifactSha256 = 'a'.repeat(64)
const rules = new Map([['load', shadowRules(86_400_000)]])
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

describe('the keeper of shadows', () => {
  let folder: string
  let db: RegistryDatabase
  let registry: Registry
  let keeper: ShadowKeeper
  let now: number
  let listeners: Set<(change: FleetChange) => void>

  const open = async () => {
    db = openDatabase(join(folder, 'registry.db'))
    registry = await openRegistry({ db, head: createHeadFile(join(folder, 'head.json')) })
    listeners = new Set()
    const fleet = {
      subscribe: (listener: (change: FleetChange) => void) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
    const parts = { registry, fleet, states: createStateStore(db), now: () => now }
    const onFailure = (error: unknown) => {
      throw error
    }
    keeper = await createShadowKeeper({ ...parts, onFailure }, rules)
  }
  /** A power cut: nothing more is written. */
  const kill = () => registry.close()

  const reportOf = (day: number, ratio: number, changes: Partial<Comparison> = {}): Report => ({
    v: 1,
    bootId: 'boot',
    windowStart: day,
    windowEnd: day + 1,
    versions: [],
    process: { residentBytes: 0, uptimeS: 0, reconnects: 0 },
    comparisons: [
      {
        model: 'load',
        champion: 1,
        challenger: 2,
        challengerSha256: artifactSha256,
        days: [comparedDay(day, { ratio })],
        ...changes,
      },
    ],
  })
  const agent: AgentRecord = {
    site: 'demo',
    agent: 'gw-1',
    presence: null,
    heardAt: 0,
    reported: null,
    windows: {},
    process: null,
  }
  const say = (report: Report) => {
    for (const listener of listeners) listener({ kind: 'report', agent, report })
  }
  const sayDays = (from: number, to: number, ratio: number) => {
    for (let day = from; day <= to; day += 1) say(reportOf(day, ratio))
  }
  const enter = async () => {
    await registry.append([started], 4)
    await vi.waitFor(() => expect(keeper.progress('load')).toMatchObject({ version: 2, champion: 1 }))
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-shadow-'))
    now = 1_000
    await open()
    await registry.append([...decidedRun('load', 1), signed('load', 1)], 1)
    await registry.append(decidedRun('load', 2, 'inconclusive'), 2)
  })
  afterEach(async () => {
    await registry.close()
    await rm(folder, { recursive: true, force: true })
  })

  test('opens a book when a shadow begins, and says nothing while nothing is proven', async () => {
    sayDays(1, 9, 0.5)
    expect(keeper.progress('load')).toBeUndefined()
    await enter()
    sayDays(1, 9, 1)
    expect(keeper.progress('load')).toMatchObject({
      days: 8,
      daysMax: 90,
      pairs: 8 * 96,
      agents: 1,
      needed: 40,
    })
    expect(await keeper.conclude('load')).toEqual([])
  })

  test.each([
    [0.9, 'promoted', 'promote', 'promoted'],
    [1.1, 'rejected', 'reject', 'rejected'],
  ] as const)(
    'of a challenger with %d of the errors says %s, once',
    async (ratio, reason, verdict, state) => {
      await enter()
      sayDays(1, 60, ratio)
      const facts = await keeper.conclude('load')
      expect(facts).toMatchObject([
        { kind: 'shadow-ended', run: 'run-2', version: 2, reason, evidence: { champion: 1 } },
        {
          kind: 'version-decided',
          run: 'run-2',
          version: 2,
          decision: { verdict, champion: { learner: 'ridge' } },
        },
      ])
      await registry.append(facts, 5)
      await vi.waitFor(() => expect(keeper.progress('load')).toBeUndefined())
      expect(await keeper.conclude('load')).toEqual([])
      expect(await registry.version('load', 2)).toMatchObject({ state, shadow: { ended: { reason } } })
      expect((await registry.verify()).ok).toBe(true)
    },
  )

  test('adds up only these two versions, and the very artifact that was signed', async () => {
    await enter()
    for (const wrong of [
      { champion: 7 },
      { challenger: 7 },
      { model: 'other' },
      { challengerSha256: 'f'.repeat(64) },
    ]) {
      say(reportOf(1, 1, wrong))
    }
    expect(keeper.progress('load')).toMatchObject({ agents: 0 })
  })

  test('goes on after a kill from what it wrote: what comes again counts once', async () => {
    await enter()
    sayDays(1, 5, 1)
    await keeper.flush()
    const before = keeper.progress('load')
    sayDays(6, 7, 1)
    await kill()
    await open()
    expect(keeper.progress('load')).toEqual(before)
    sayDays(4, 7, 1)
    expect(keeper.progress('load')).toMatchObject({ days: 6, pairs: 6 * 96, latePairs: 0 })
  })

  test('says the same again when a kill came before the registry heard of it', async () => {
    await enter()
    sayDays(1, 60, 0.9)
    await keeper.flush()
    const facts = await keeper.conclude('load')
    await kill()
    await open()
    expect(await keeper.conclude('load')).toEqual(facts)
  })

  test('ends a shadow whose champion is champion no more, whatever it has shown', async () => {
    await enter()
    expect(await keeper.conclude('load')).toEqual([])
    sayDays(1, 60, 0.9)
    await registry.append(decidedRun('load', 3), 5)
    expect(await keeper.conclude('load')).not.toMatchObject([{ reason: 'superseded' }])
    await registry.append([signed('load', 3, 7)], 5)
    const facts = await keeper.conclude('load')
    expect(facts).toMatchObject([{ kind: 'shadow-ended', version: 2, reason: 'superseded' }])
    await registry.append(facts, 6)
    expect(await registry.version('load', 2)).toMatchObject({ state: 'inconclusive' })
    await vi.waitFor(() => expect(keeper.progress('load')).toBeUndefined())
  })

  test('ends a shadow of which nobody ever reports', async () => {
    await enter()
    now += 15 * 86_400_000
    expect(await keeper.conclude('load')).toMatchObject([
      { reason: 'expired' },
      { decision: { verdict: 'reject', rows: 0 } },
    ])
  })

  test('throws away a book of something that is in shadow no more', async () => {
    await enter()
    sayDays(1, 5, 1)
    await keeper.stop()
    await registry.append(
      [{ kind: 'shadow-ended', model: 'load', run: 'run-2', version: 2, reason: 'expired', evidence: {} }],
      9,
    )
    await kill()
    await open()
    expect(keeper.progress('load')).toBeUndefined()
    expect(await db.selectFrom('states').selectAll().execute()).toEqual([])
  })
})
