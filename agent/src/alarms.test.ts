import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '@imlma/protocol/result'
import type { Alarm } from '@imlma/protocol/wire'
import { whileMs } from './alarm-rate.ts'
import { createAlarms, type Raised } from './alarms.ts'
import { openReadingsDatabase, type ReadingsDatabase } from './outbox/database.sqlite.ts'
import { createHeldAlarms } from './outbox/held-alarms.sqlite.ts'
import { createRows } from './outbox/rows.sqlite.ts'

let folder: string
let database: ReadingsDatabase
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-alarms-'))
  database = openReadingsDatabase(join(folder, 'readings.db'), Date.now)
})
afterEach(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

const raised = (code: string, more: Partial<Raised> = {}): Raised => ({
  model: null,
  version: null,
  kind: 'security',
  level: 'act',
  value: null,
  limit: null,
  evidence: { code },
  ...more,
})

let ids = 0
const setUp = ({ connected = true } = {}) => {
  const sent: Alarm[] = []
  const failures: unknown[] = []
  const state = { connected, monotonicMs: 0 }
  const alarms = createAlarms({
    link: {
      publish: async (_channel, payload) => {
        if (!state.connected) throw new Failure('LINK_DOWN', 'down', { retryable: true })
        sent.push(JSON.parse(new TextDecoder().decode(payload)) as Alarm)
      },
    },
    now: () => 1_700_000_000_000,
    monotonicMs: () => state.monotonicMs,
    newId: () => `alarm-${(ids += 1)}`,
    held: createHeldAlarms(database),
    onRaised: () => undefined,
    onFailure: (cause) => failures.push(cause),
  })
  return { alarms, sent, state, failures, codes: () => sent.map(({ evidence }) => evidence['code']) }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('alarms', () => {
  test('raised without a link are sent after a power cut, once, oldest first', async () => {
    const before = setUp({ connected: false })
    for (const code of ['a', 'b', 'c']) before.alarms.raise(raised(code))
    await settle()
    database.close()
    database = openReadingsDatabase(join(folder, 'readings.db'), Date.now)
    const after = setUp()
    after.alarms.flush()
    await settle()
    expect(after.codes()).toEqual(['a', 'b', 'c'])
    const again = setUp()
    again.alarms.flush()
    await settle()
    expect(again.sent).toEqual([])
  })

  test('of one kind are raised a few times, and then counted', async () => {
    const { alarms, sent, state, codes } = setUp()
    for (let i = 0; i < 50; i++) alarms.raise(raised('BAD_SIGNATURE'))
    alarms.raise(raised('EXPIRED'))
    await settle()
    expect(codes()).toEqual([...Array.from({ length: 5 }, () => 'BAD_SIGNATURE'), 'EXPIRED'])
    state.monotonicMs = whileMs
    alarms.raise(raised('BAD_SIGNATURE'))
    await settle()
    expect(sent.at(-1)?.evidence).toEqual({ code: 'BAD_SIGNATURE', suppressed: 45 })
  })

  test('of different things do not take each other’s place', async () => {
    const { alarms, sent } = setUp()
    for (let model = 0; model < 8; model++)
      for (let i = 0; i < 9; i++) alarms.raise(raised('DRIFT', { model: `m${model}`, kind: 'drift' }))
    await settle()
    expect(sent).toHaveLength(8 * 5)
  })

  test('beyond what the disk keeps push out the oldest, which are counted', async () => {
    const { alarms, state } = setUp({ connected: false })
    for (let i = 0; i < 1_010; i++) {
      state.monotonicMs += whileMs
      alarms.raise(raised('LATE'))
    }
    await settle()
    expect(createHeldAlarms(database).all()).toHaveLength(1_000)
    expect(createRows(database).dropped().alarm).toBe(10)
  })

  test('are sent although the disk cannot be written, and only once', async () => {
    const { alarms, sent, failures } = setUp()
    database.sqlite.pragma('query_only = 1')
    alarms.raise(raised('STORE_FAILED'))
    await settle()
    alarms.flush()
    await settle()
    expect(sent).toHaveLength(1)
    expect(failures.length).toBeGreaterThan(0)
  })

  test('that the disk has changed are left out', () => {
    const { alarms } = setUp({ connected: false })
    for (const code of ['a', 'b']) alarms.raise(raised(code))
    database.sqlite.exec(`UPDATE alarms SET alarm = '{"v":1' WHERE id = 1`)
    expect(
      createHeldAlarms(database)
        .all()
        .map(({ evidence }) => evidence['code']),
    ).toEqual(['b'])
  })
})
