import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase, type RegistryDatabase } from '../storage/database.sqlite.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import { createTriggerBook, type TriggerBook } from './trigger-book.ts'

const model = {
  name: 'load',
  trigger: { volume: 100, intervalMs: 10_000, readingsMin: 10, coolDownMs: 1_000 },
}

describe('the book of triggers', () => {
  let folder: string
  let db: RegistryDatabase
  let book: TriggerBook
  const restart = async () => {
    await db.destroy()
    open()
  }
  const open = () => {
    db = openDatabase(join(folder, 'registry.db'))
    book = createTriggerBook(createStateStore(db))
  }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-triggers-'))
    open()
  })
  afterEach(async () => {
    await db.destroy()
    await rm(folder, { recursive: true, force: true })
  })
  const look = (now: number, filled: number, running = false) => book.look(model, { now, filled, running })

  test('remembers the first due time, the count and the cool-down over restarts', async () => {
    expect((await look(50_000, 20)).progress.dueAt).toBe(60_000)
    await restart()
    expect((await look(55_000, 20)).progress.dueAt).toBe(60_000)
    const decision = await look(55_500, 130)
    expect(decision).toMatchObject({ fire: true, trigger: { kind: 'volume', evidence: { detectMs: 500 } } })
    if (decision.fire) await book.started(model, decision.trigger)
    await restart()
    expect(await look(56_000, 400)).toMatchObject({ fire: false, reason: 'COOL_DOWN' })
    expect(await look(56_500, 229)).toMatchObject({ reason: 'BELOW_THRESHOLD', progress: { readings: 99 } })
  })

  test('a wish survives a restart, waits for the cool-down and is granted once', async () => {
    await look(50_000, 20)
    await book.started(model, { kind: 'volume', at: 50_000, evidence: { filled: 20 } })
    await book.request(model, 'manual', 'new meters', 50_100)
    await restart()
    expect(await look(50_900, 20)).toMatchObject({ reason: 'COOL_DOWN' })
    const decision = await look(51_000, 20)
    expect(decision).toMatchObject({
      fire: true,
      trigger: { kind: 'manual', evidence: { reason: 'new meters' } },
    })
    if (decision.fire) await book.started(model, decision.trigger)
    expect(await look(53_000, 20)).toMatchObject({ fire: false, reason: 'BELOW_THRESHOLD' })
  })

  test('a wish that comes during a look is not overwritten by it', async () => {
    await look(50_000, 20)
    await book.started(model, { kind: 'volume', at: 50_000, evidence: { filled: 20 } })
    // Due and nothing new: this look writes as well, and its write is the slow one.
    const { promise: disk, resolve: release } = Promise.withResolvers<void>()
    const states = createStateStore(db)
    const writes = [disk]
    const slow = createTriggerBook({
      ...states,
      save: async (...state) => {
        await writes.shift()
        await states.save(...state)
      },
    })
    const looking = slow.look(model, { now: 60_000, filled: 20, running: false })
    const asking = slow.request(model, 'manual', 'now', 60_000)
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    release()
    await Promise.all([looking, asking])
    expect(await slow.look(model, { now: 60_001, filled: 20, running: false })).toMatchObject({
      fire: true,
      trigger: { kind: 'manual' },
    })
  })

  test('a kill between the fact and the book lets it fire once: the fact is told again', async () => {
    await look(50_000, 20)
    const decision = await look(50_100, 200)
    await restart()
    if (decision.fire) await book.started(model, decision.trigger)
    if (decision.fire) await book.started(model, decision.trigger)
    expect(await look(52_000, 210)).toMatchObject({ fire: false, progress: { readings: 10 } })
  })

  test('a look that changes nothing writes nothing', async () => {
    await look(50_000, 20)
    const changes = async () =>
      (await db.selectFrom('states').select('updatedAt').execute()).map(({ updatedAt }) => updatedAt)
    const before = await changes()
    await look(51_000, 30)
    expect(await changes()).toEqual(before)
  })
})
