import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openReadingsDatabase, type ReadingsDatabase } from '../outbox/database.sqlite.ts'
import { createOutbox } from '../outbox/outbox.sqlite.ts'
import { createHistory, type HistoryOptions } from './history.sqlite.ts'
import { blockSlots, createRing, readRing, writeRing } from './ring.ts'

const interval = 900_000
const origin = 1_700_000_100_000 - (1_700_000_100_000 % interval)
const register = '1-0:1.29.0'

let folder: string
let opened: ReadingsDatabase | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-history-'))
})
afterEach(() => {
  opened?.close()
  opened = undefined
  rmSync(folder, { recursive: true })
})

const open = (options?: HistoryOptions) => {
  opened?.close()
  const database = openReadingsDatabase(join(folder, 'readings.db'), () => 1)
  opened = database
  const history = createHistory(database, options)
  const outbox = createOutbox({ database, now: () => 1, participants: [history] })
  const put = (meter: string, slot: number, values: readonly number[], quality?: readonly number[]) => {
    const column = {
      meter,
      register,
      interval,
      start: origin + slot * interval,
      values: Float32Array.from(values),
    }
    const series = quality === undefined ? column : { ...column, quality: Uint8Array.from(quality) }
    outbox.append([series], { historical: false })
  }
  const read = (meter: string, from: number, to: number) => [
    ...history.read(meter, register, interval, origin + from * interval, origin + to * interval),
  ]
  return { database, history, outbox, put, read }
}

const missing = Number.NaN

describe('history', () => {
  test('is what was appended, also after a restart', () => {
    const { put } = open()
    put('a', 0, [1, 2, 3])
    put('a', 5, [6])
    const { read, history } = open()
    expect(read('a', -1, 7)).toEqual([missing, 1, 2, 3, missing, missing, 6, missing])
    expect(read('b', 0, 1)).toEqual([missing])
    expect(history.series(register, interval)).toEqual([
      { meter: 'a', register, intervalMs: interval, latestAt: origin + 5 * interval },
    ])
    expect(history.series(register, 60_000)).toEqual([])
  })

  test('a missing or unfit value does not replace what is there', () => {
    const { put, read } = open()
    put('a', 0, [1, 2, 3, 4])
    put('a', 0, [9, missing, 9, 9], [0, 0, 3, 2])
    expect(read('a', 0, 4)).toEqual([9, 2, 3, 9])
  })

  test('forgets what is older than its slots, in memory and on disk alike', () => {
    const options = { slots: 2 * blockSlots }
    const { put } = open(options)
    put(
      'a',
      0,
      Array.from({ length: 10 }, () => 1),
    )
    put('a', 20 * blockSlots, [2])
    put('a', 0, [3])
    const { read, database } = open(options)
    expect(read('a', 0, 10)).toEqual(Array.from({ length: 10 }, () => missing))
    expect(read('a', 20 * blockSlots, 20 * blockSlots + 1)).toEqual([2])
    expect(database.sqlite.prepare('SELECT count(*) FROM blocks').pluck().get()).toBe(1)
  })

  test('answers the same after a restart, whatever of it the blocks on disk have', () => {
    const write = fc.record({
      meter: fc.constantFrom('a', 'b'),
      slot: fc.integer({ min: 0, max: 4 * blockSlots }),
      values: fc.array(fc.oneof(fc.nat(99), fc.constant(missing)), { minLength: 1, maxLength: 4 }),
    })
    const live = fc.nat(5 * blockSlots).map((slot) => ({ meter: 'a', slot, values: [slot] }))
    fc.assert(
      fc.property(fc.array(fc.oneof(write, live), { maxLength: 120 }), (writes) => {
        opened?.close()
        opened = undefined
        rmSync(folder, { recursive: true })
        folder = mkdtempSync(join(tmpdir(), 'imlma-history-'))
        const { put, read } = open()
        for (const { meter, slot, values } of writes) put(meter, slot, values)
        const before = ['a', 'b'].map((meter) => read(meter, 0, 5 * blockSlots))
        const again = open()
        expect(['a', 'b'].map((meter) => again.read(meter, 0, 5 * blockSlots))).toEqual(before)
      }),
      { seed: 11, numRuns: 30 },
    )
  })

  test('a correction that begins a block is not undone by what was written before it', () => {
    const { put } = open()
    const end = Math.ceil(origin / interval / blockSlots) * blockSlots - origin / interval - 1
    put('a', end - 5, [1])
    put('a', end, [5])
    put('a', end, [6, 7])
    expect(open().read('a', end, end + 2)).toEqual([6, 7])
  })

  test('writes the blocks of many meters now and then, and each reading at once', () => {
    const { database, outbox } = open()
    const column = (meter: number, slot: number) => ({
      meter: `m${meter}`,
      register,
      interval,
      start: origin + slot * interval,
      values: Float32Array.of(slot),
    })
    const first = Math.ceil(origin / interval / blockSlots) * blockSlots - origin / interval
    const meters = Array.from({ length: 100 }, (_, i) => i)
    const put = (slot: number) =>
      outbox.append(
        meters.map((meter) => column(meter, first + slot)),
        { historical: false },
      )
    const onDisk = () => {
      const slots = database.sqlite
        .prepare(`SELECT slots FROM blocks WHERE series = 1`)
        .pluck()
        .get() as Buffer
      return Array.from({ length: blockSlots }, (_, i) => slots.readFloatLE(4 * i)).filter((v) => v === v)
        .length
    }
    put(0)
    expect(onDisk()).toBe(1)
    for (let slot = 1; slot < 32; slot++) put(slot)
    expect(onDisk()).toBe(1)
    put(32)
    expect(onDisk()).toBe(33)
    put(33)
    const again = open()
    expect(again.read('m99', first, first + 34)).toEqual(Array.from({ length: 34 }, (_, i) => first + i))
  })

  test('answers from the disk what was written before anybody read so far back', () => {
    const days = Array.from({ length: 7 * blockSlots }, (_, i) => i)
    const { put } = open()
    put('a', 0, days)
    put('a', 7 * blockSlots, [1])
    // Older than what is in memory, and unfit in part.
    put('a', 2 * blockSlots - 1, [7, 8, 9], [0, 3, 0])
    const wanted = days.with(2 * blockSlots - 1, 7).with(2 * blockSlots + 1, 9)
    const { read, put: putAgain } = open()
    expect(read('a', 0, 7 * blockSlots + 1)).toEqual([...wanted, 1])
    putAgain('a', 9 * blockSlots, [2])
    putAgain('a', 3, [5])
    expect(read('a', 0, 7 * blockSlots)).toEqual(wanted.with(3, 5))
    expect(open().read('a', 0, 4)).toEqual([0, 1, 2, 5])
  })

  test('finds the newest value where only missing ones came after it', () => {
    const { history, put } = open()
    put('a', 0, [1, ...Array.from({ length: 5 * blockSlots }, () => missing)])
    expect(history.series(register, interval)[0]?.latestAt).toBe(origin)
    expect(open().history.series(register, interval)[0]?.latestAt).toBe(origin)
  })

  test('goes back with the readings when their transaction fails', () => {
    const { database, put, read } = open()
    put('a', 0, [1])
    database.sqlite.exec(
      `CREATE TRIGGER full BEFORE INSERT ON blocks WHEN NEW.block > 1 BEGIN SELECT RAISE(ABORT, 'full'); END`,
    )
    expect(() => put('b', 0, [5])).toThrow(/cannot be used/)
    expect([read('a', 0, 1), read('b', 0, 1)]).toEqual([[1], [missing]])
    database.sqlite.exec(`DROP TRIGGER full`)
    put('b', 0, [7])
    expect(open().read('b', 0, 1)).toEqual([7])
  })

  test('tells listeners of readings that it already answers with', () => {
    const { history, put, read } = open()
    const heard: unknown[] = []
    history.onAppend(({ latestAt, historical }) => heard.push([latestAt, historical, read('a', 0, 2)]))
    put('a', 0, [1, 2])
    expect(heard).toEqual([[origin + interval, false, [1, 2]]])
  })

  test('reads into a part of a matrix', () => {
    const { history, put } = open()
    put('a', 0, [1, 2, 3])
    const matrix = new Float32Array(6)
    history.read('a', register, interval, origin, origin + 3 * interval, matrix.subarray(3))
    expect([...matrix]).toEqual([0, 0, 0, 1, 2, 3])
  })

  test('keeps so many series and no more', () => {
    const { history, put } = open({ seriesMax: 1 })
    put('a', 0, [1])
    put('b', 0, [1])
    expect(history.series(register, interval).map(({ meter }) => meter)).toEqual(['a'])
  })
})

describe('ring', () => {
  test('answers as a map from slot to value would, within its capacity', () => {
    const write = fc.record({
      slot: fc.nat(1_200),
      values: fc.array(fc.oneof(fc.nat(99), fc.constant(missing)), { minLength: 1, maxLength: 300 }),
    })
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), fc.nat(1_300), fc.nat(500), (writes, from, length) => {
        const ring = createRing(3)
        const model = new Map<number, number>()
        let newestBlock = -1
        for (const { slot, values } of writes) {
          writeRing(ring, slot, Float32Array.from(values))
          newestBlock = Math.max(newestBlock, Math.floor((slot + values.length - 1) / blockSlots))
          const oldest = (newestBlock - 2) * blockSlots
          values.forEach((value, i) => {
            if (value === value && slot + i >= oldest) model.set(slot + i, value)
          })
          for (const known of model.keys()) if (known < oldest) model.delete(known)
        }
        const target = new Float32Array(length)
        readRing(ring, from, target)
        expect([...target]).toEqual(Array.from({ length }, (_, i) => model.get(from + i) ?? missing))
      }),
      { seed: 7, numRuns: 300 },
    )
  })
})
