import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHistory } from '../history/history.sqlite.ts'
import { openReadingsDatabase } from './database.sqlite.ts'
import { everything, parsed } from './outbox.contract.ts'
import { createOutbox } from './outbox.sqlite.ts'

/**
 * `vectors/readings-v1.db` is a file of version 1, written by the agent at commit c7a6abe: 40 appends a minute apart,
 * the first ten of them historical, each with the value i of meter-0 and i + ½ of meter-1; numbered from 701 on, 16 sent,
 * three acknowledged. So 37 wait, and 13 of those may be at the coordinator already.
 */
const vector = join(import.meta.dirname, 'vectors', 'readings-v1.db')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-migration-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const withVersion1 = (path: string, change: (sqlite: Database.Database) => void): void => {
  const sqlite = new Database(path)
  change(sqlite)
  sqlite.close()
}

test('an upgrade keeps a full backlog, what may have left under its old sequence', () => {
  copyFileSync(vector, join(folder, 'readings.db'))
  const database = openReadingsDatabase(join(folder, 'readings.db'), Date.now)
  expect(database.loss).toBeUndefined()
  const history = createHistory(database)
  const outbox = createOutbox({ database, now: Date.now, participants: [history] })
  expect(outbox.backlog()).toMatchObject({ batches: 37, readings: 74, dropped: 0 })
  expect([outbox.position('feed'), outbox.acknowledged()]).toEqual(['p39', 703])

  const column = { meter: 'meter-0', register: '1-0:1.29.0', interval: 60_000, start: 1_700_002_440_000 }
  outbox.append([{ ...column, values: Float32Array.of(40) }], { historical: false })
  const sent = outbox.next(everything).map(parsed)
  expect(sent.map(({ seq }) => seq)).toEqual(Array.from({ length: 38 }, (_, i) => 704 + i))
  const values = sent.map(({ series }) => series[0]?.values[0])
  expect(values.slice(0, 32)).toEqual(Array.from({ length: 32 }, (_, i) => 3 + i))
  expect(values.toSorted((a, b) => Number(a) - Number(b))).toEqual(
    Array.from({ length: 38 }, (_, i) => 3 + i),
  )
  expect(sent.slice(0, 32).map(({ historical }) => historical)).toEqual(
    Array.from({ length: 32 }, (_, i) => i < 7),
  )
  expect([
    ...history.read('meter-1', '1-0:1.29.0', 60_000, 1_700_000_040_000, 1_700_000_040_000 + 3 * 60_000),
  ]).toEqual([0.5, 1.5, 2.5])
  database.close()
})

test.each([
  ['that waits for its first acknowledgement', null, 40, undefined, 901],
  ['that ran empty', 700, 0, 740, 741],
  ['with few batches', 700, 2, 738, 739],
])('an upgrade of an outbox %s numbers on where it was', (_, offset, kept, acknowledged, first) => {
  const path = join(folder, 'readings.db')
  copyFileSync(vector, path)
  withVersion1(path, (sqlite) => {
    sqlite.prepare('UPDATE numbering SET offset = ?, dropped_readings = 12').run(offset)
    sqlite.prepare('DELETE FROM batches WHERE id <= 40 - ?').run(kept)
  })
  const database = openReadingsDatabase(path, Date.now)
  const outbox = createOutbox({ database, now: Date.now })
  expect(outbox.acknowledged()).toBe(acknowledged)
  expect(outbox.backlog().droppedByClass.recent).toBe(12)
  if (acknowledged === undefined) outbox.acknowledge(900)
  const column = { meter: 'm', register: 'r', interval: 60_000, start: 0, values: Float32Array.of(1) }
  outbox.append([column], { historical: false })
  expect(outbox.next(everything)[0]?.seq).toBe(first)
  database.close()
})
