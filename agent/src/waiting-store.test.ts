import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Failure } from '@imlma/protocol/result'
import { protocolVersion, type Alarm, type ReadingSeries } from '@imlma/protocol/wire'
import { createHistory } from './history/history.sqlite.ts'
import { openReadingsDatabase, type ReadingsDatabase } from './outbox/database.sqlite.ts'
import { createHeldAlarms } from './outbox/held-alarms.sqlite.ts'
import { createOutbox } from './outbox/outbox.sqlite.ts'
import { createWaitingStore, type Store } from './waiting-store.ts'

const interval = 900_000
const start = 1_700_000_100_000
const reading: ReadingSeries = {
  meter: 'm',
  register: 'active-import',
  interval,
  start,
  values: Float32Array.of(7),
}
const alarm = (id: string): Alarm => ({
  v: protocolVersion,
  id,
  at: 1,
  model: null,
  version: null,
  kind: 'storage',
  level: 'act',
  value: null,
  limit: null,
  evidence: { code: 'NO_SPACE' },
})
const full = new Failure('NO_SPACE', 'full', { retryable: true })
const everything = { after: 0, batchesMax: 9, bytesMax: 1e6 }

let folder: string
let database: ReadingsDatabase
let store: Store
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-waiting-'))
  database = openReadingsDatabase(join(folder, 'readings.db'), Date.now)
  const history = createHistory(database)
  const outbox = createOutbox({ database, now: Date.now, participants: [history] })
  store = { outbox, history, heldAlarms: createHeldAlarms(database) }
})
afterEach(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

test('refuses readings and cursors, and knows no history, until the store opens', () => {
  const { outbox, history, open } = createWaitingStore(full)
  expect(() => outbox.append([reading], { historical: false })).toThrow(full)
  expect(() => outbox.position('s')).toThrow(full)
  const target = Float32Array.of(1, 2)
  expect(history.read('m', 'active-import', interval, start, start + 2 * interval, target)).toEqual(
    Float32Array.of(Number.NaN, Number.NaN),
  )
  open(store)
  outbox.append([reading], { historical: false })
  expect([outbox.position('s'), outbox.backlog().readings]).toEqual([undefined, 1])
  expect([...history.read('m', 'active-import', interval, start, start + interval)]).toEqual([7])
})

test('whoever listened before the store opened hears of what it stores, until they stop', () => {
  const { outbox, history, open } = createWaitingStore(full)
  const heard: string[] = []
  outbox.onAppend(() => heard.push('outbox'))
  const stop = history.onAppend(() => heard.push('history'))
  open(store)
  store.outbox.append([reading], { historical: false })
  expect(heard.toSorted()).toEqual(['history', 'outbox'])
  stop()
  store.outbox.append([{ ...reading, start: start + interval }], { historical: false })
  expect(heard).toHaveLength(3)
})

test('what the coordinator acknowledged meanwhile begins the numbering', () => {
  const { outbox, open } = createWaitingStore(full)
  outbox.acknowledge(41)
  open(store)
  outbox.append([reading], { historical: false })
  expect(outbox.next({ ...everything, after: 41 }).map(({ seq }) => seq)).toEqual([42])
})

test('alarms that nobody has got are on disk when the store opens, each once, also at a second attempt', () => {
  const { heldAlarms, open } = createWaitingStore(full)
  for (const id of ['a', 'b', 'c']) heldAlarms.add(alarm(id))
  heldAlarms.remove('b')
  let room = 1
  const add = (each: Alarm): void => {
    if ((room -= 1) < 0) throw full
    store.heldAlarms.add(each)
  }
  expect(() => open({ ...store, heldAlarms: { ...store.heldAlarms, add } })).toThrow(full)
  expect(heldAlarms.all().map(({ id }) => id)).toEqual(['c'])
  open(store)
  expect(store.heldAlarms.all().map(({ id }) => id)).toEqual(['a', 'c'])
})
