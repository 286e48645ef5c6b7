import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeCbor, type ReadingBatch, type ReadingSeries } from '@imlma/protocol/wire'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createReadingsStore, openReadingsReader } from './readings.sqlite.ts'
import type { IncomingBatch, ReadingsStore } from './readings.ts'

const quarterHour = 900_000
const register = '1-0:1.8.0'
const key = { site: 'demo', meter: 'm-1', register, intervalMs: quarterHour }
const missing = Number.NaN

const toSeries = (
  start: number,
  values: readonly number[],
  more: Partial<ReadingSeries> = {},
): ReadingSeries => ({
  meter: 'm-1',
  register,
  interval: quarterHour,
  start: start * quarterHour,
  values: Float32Array.from(values),
  ...more,
})

const toIncoming = (
  seq: number,
  series: readonly ReadingSeries[],
  { agent = 'gw-1', ...header }: Partial<ReadingBatch> & { agent?: string; receivedAt?: number } = {},
): IncomingBatch => {
  const batch = { v: 1 as const, seq, sentAt: 1_000, historical: false, series: [...series], ...header }
  return { site: 'demo', agent, receivedAt: header.receivedAt ?? 2_000, bytes: encodeCbor(batch), batch }
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-readings-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const places = [
  { name: 'a file', open: () => createReadingsStore(join(folder, 'deeper', 'readings.db')) },
  { name: 'memory', open: () => createReadingsStore(':memory:') },
]

describe.each(places)('readings in $name', ({ open }) => {
  let store: ReadingsStore
  beforeEach(() => {
    store = open()
  })
  afterEach(() => store.close())
  const acceptOne = (batch: IncomingBatch) => store.accept([batch])[0]!

  test('batches in order are acknowledged, and read back after folding', () => {
    expect(acceptOne(toIncoming(1, [toSeries(10, [1, 2])]))).toEqual({
      ok: true,
      value: { duplicate: false, acknowledged: 1 },
    })
    acceptOne(toIncoming(2, [toSeries(12, [3])]))
    expect(store.acknowledged('demo', 'gw-1')).toBe(2)
    expect(store.fold(10)).toBe(2)
    expect(store.fold(10)).toBe(0)
    const { values, quality } = store.read(key, 9 * quarterHour, 14 * quarterHour)
    expect([...values]).toEqual([missing, 1, 2, 3, missing])
    expect([...quality]).toEqual([255, 0, 0, 0, 255])
    expect(store.series({})).toEqual([
      { ...key, agent: 'gw-1', firstAt: 10 * quarterHour, lastAt: 12 * quarterHour, filled: 3 },
    ])
  })

  test('a batch that comes again is a duplicate and counts once, also with another header', () => {
    acceptOne(toIncoming(1, [toSeries(0, [1])]))
    acceptOne(toIncoming(2, [toSeries(1, [2])]))
    const again = acceptOne(toIncoming(2, [toSeries(1, [2])], { oldest: 2, sentAt: 9_000 }))
    expect(again).toEqual({ ok: true, value: { duplicate: true, acknowledged: 2 } })
    store.fold(10)
    expect(store.filled('demo', register, quarterHour)).toBe(2)
    expect(store.coverage()).toEqual([
      { site: 'demo', agent: 'gw-1', acknowledged: 2, highest: 2, lost: 0, batches: 2 },
    ])
  })

  test('twice in one transaction is once', () => {
    const batch = toIncoming(1, [toSeries(0, [1])])
    const [first, second] = store.accept([batch, batch])
    expect([first, second].map((one) => one?.ok && one.value.duplicate)).toEqual([false, true])
  })

  test('other readings under a known sequence are a conflict and go to quarantine', () => {
    acceptOne(toIncoming(1, [toSeries(0, [1])]))
    const conflict = acceptOne(toIncoming(1, [toSeries(0, [1.5])]))
    expect(conflict).toMatchObject({ ok: false, refusal: { code: 'SEQUENCE_CONFLICT' } })
    expect(acceptOne(toIncoming(1, [toSeries(1, [1])])).ok).toBe(false)
    const doubted = toSeries(0, [1], { quality: Uint8Array.of(3) })
    expect(acceptOne(toIncoming(1, [doubted])).ok).toBe(false)
    expect(store.quarantined()).toEqual({ SEQUENCE_CONFLICT: 3 })
    store.fold(10)
    expect(store.read(key, 0, quarterHour).values[0]).toBe(1)
  })

  test('agents number on their own', () => {
    acceptOne(toIncoming(1, [toSeries(0, [1])]))
    expect(acceptOne(toIncoming(1, [toSeries(5, [1])], { agent: 'gw-2' })).ok).toBe(true)
    expect([store.acknowledged('demo', 'gw-2'), store.acknowledged('demo', 'gw-3')]).toEqual([1, 0])
  })

  test('a gap holds the acknowledgement back until the batch comes or is declared lost', () => {
    acceptOne(toIncoming(1, [toSeries(0, [1])]))
    acceptOne(toIncoming(4, [toSeries(3, [4])]))
    expect(store.acknowledged('demo', 'gw-1')).toBe(1)
    acceptOne(toIncoming(3, [toSeries(2, [3])]))
    expect(store.acknowledged('demo', 'gw-1')).toBe(1)
    acceptOne(toIncoming(5, [toSeries(4, [5])], { oldest: 3 }))
    expect(store.coverage()).toMatchObject([{ acknowledged: 5, highest: 5, lost: 1, batches: 4 }])
    // It was in flight all the time.
    acceptOne(toIncoming(2, [toSeries(1, [2])]))
    expect(store.coverage()).toMatchObject([{ acknowledged: 5, lost: 0, batches: 5 }])
    store.fold(10)
    expect([...store.read(key, 0, 5 * quarterHour).values]).toEqual([1, 2, 3, 4, 5])
  })

  test('a duplicate that tells of a loss moves the acknowledgement too', () => {
    acceptOne(toIncoming(3, [toSeries(0, [1])]))
    expect(acceptOne(toIncoming(3, [toSeries(0, [1])], { oldest: 3 }))).toMatchObject({
      value: { duplicate: true, acknowledged: 3 },
    })
  })

  test('only newly filled slots of trainable quality are counted', () => {
    const quality = Uint8Array.of(0, 1, 2, 3, 4, 0)
    acceptOne(toIncoming(1, [toSeries(0, [1, 2, 3, 4, 5, missing], { quality })]))
    store.fold(10)
    expect(store.filled('demo', register, quarterHour)).toBe(3)
    // The same slots again, two of them repaired, one filled at last.
    acceptOne(toIncoming(2, [toSeries(0, [9, 9, 9, 4.5, 5.5, 6])]))
    store.fold(10)
    expect(store.filled('demo', register, quarterHour)).toBe(6)
    expect([...store.read(key, 0, 6 * quarterHour).values]).toEqual([1, 9, 9, 4.5, 5.5, 6])
    expect(store.series({ meter: 'm-1' })).toMatchObject([{ filled: 6 }])
  })

  test('a series is its site, meter, register and interval', () => {
    const hour = 3_600_000
    acceptOne(
      toIncoming(1, [
        toSeries(0, [1, 2]),
        toSeries(0, [30], { interval: hour }),
        toSeries(0, [400], { register: 'temperature' }),
        toSeries(0, [5000], { meter: 'm-2' }),
      ]),
    )
    store.fold(10)
    expect(store.series({ register }).map(({ meter, intervalMs }) => [meter, intervalMs])).toEqual([
      ['m-1', quarterHour],
      ['m-1', hour],
      ['m-2', quarterHour],
    ])
    expect(store.filled('demo', register, quarterHour)).toBe(3)
    expect(store.filled('demo', register, hour)).toBe(1)
    expect([...store.read({ ...key, intervalMs: hour }, 0, hour).values]).toEqual([30])
    expect(store.series({ site: 'elsewhere' })).toEqual([])
  })

  test('a series of many days is read over its seams', () => {
    const values = Array.from({ length: 96 * 3 }, (_, i) => i)
    acceptOne(toIncoming(1, [toSeries(96 * 20_000 + 50, values)]))
    store.fold(10)
    const start = (96 * 20_000 + 50) * quarterHour
    expect([...store.read(key, start, start + values.length * quarterHour).values]).toEqual(values)
    expect([...store.read(key, start + 40 * quarterHour, start + 50 * quarterHour).values]).toEqual(
      values.slice(40, 50),
    )
    expect(store.read(key, start, start).values).toHaveLength(0)
  })

  test('folding takes at most what it is told, in the order of arrival', () => {
    store.accept([1, 2, 3].map((seq) => toIncoming(seq, [toSeries(seq, [seq])])))
    expect([store.fold(2), store.filled('demo', register, quarterHour)]).toEqual([2, 2])
    expect([store.fold(2), store.filled('demo', register, quarterHour)]).toEqual([1, 3])
  })

  test('what is in quarantine with a sequence does not come for ever', () => {
    const entry = { site: 'demo', agent: 'gw-1', code: 'MALFORMED', reason: 'why', receivedAt: 0 }
    const bytes = Uint8Array.of(1)
    store.quarantine([
      { ...entry, seq: 1, bytes },
      { ...entry, seq: null, bytes },
    ])
    expect(store.acknowledged('demo', 'gw-1')).toBe(1)
    expect(store.quarantined()).toEqual({ MALFORMED: 2 })
    expect(acceptOne(toIncoming(2, [toSeries(0, [1])]))).toMatchObject({ value: { acknowledged: 2 } })
  })

  test('an agent that leaves gaps everywhere is refused at the bound, not acknowledged', () => {
    const batches = Array.from({ length: 257 }, (_, i) => toIncoming(2 * i + 2, [toSeries(i, [i])]))
    const refused = store.accept(batches).filter((one) => !one.ok)
    expect(refused).toMatchObject([{ refusal: { code: 'TOO_MANY_GAPS' } }])
    expect(store.acknowledged('demo', 'gw-1')).toBe(0)
  })
})

describe('the file of readings', () => {
  test('holds what was accepted after closing, folded or not', () => {
    const path = join(folder, 'readings.db')
    const before = createReadingsStore(path)
    before.accept([1, 2, 3].map((seq) => toIncoming(seq, [toSeries(seq, [seq])])))
    before.fold(1)
    before.close()
    const after = createReadingsStore(path)
    expect(after.fold(10)).toBe(2)
    expect(after.filled('demo', register, quarterHour)).toBe(3)
    expect(after.acknowledged('demo', 'gw-1')).toBe(3)
    after.close()
  })

  test('is read by another connection while it is written', () => {
    const path = join(folder, 'readings.db')
    expect(() => openReadingsReader(path)).toThrow(
      expect.objectContaining({ code: 'STORE_MISSING', retryable: true }),
    )
    const store = createReadingsStore(path)
    const reader = openReadingsReader(path)
    store.accept([toIncoming(1, [toSeries(1, [7])])])
    store.fold(1)
    expect(reader.filled('demo', register, quarterHour)).toBe(1)
    expect(reader.read(key, quarterHour, 2 * quarterHour).values[0]).toBe(7)
    reader.close()
    store.close()
    // And when nobody writes any more.
    const later = openReadingsReader(path)
    expect(later.filled('demo', register, quarterHour)).toBe(1)
    later.close()
  })

  test('forgets old batches once they are folded, and still knows them as duplicates', () => {
    const store = createReadingsStore(join(folder, 'readings.db'), { retentionDays: 1 })
    const day = 86_400_000
    store.accept([toIncoming(1, [toSeries(1, [1])], { receivedAt: 0 })])
    store.accept([toIncoming(2, [toSeries(2, [2])], { receivedAt: 2 * day })])
    store.fold(10)
    // Its bytes are gone, so even other readings cannot be told from the first ones any more.
    expect(store.accept([toIncoming(1, [toSeries(1, [5])])])).toMatchObject([{ value: { duplicate: true } }])
    expect(store.accept([toIncoming(2, [toSeries(2, [5])])])).toMatchObject([{ ok: false }])
    store.close()
  })

  test('that is no database is refused with a hint', () => {
    const path = join(folder, 'readings.db')
    writeFileSync(path, 'something else'.repeat(100))
    expect(() => createReadingsStore(path)).toThrow(
      expect.objectContaining({
        code: 'STORE_FAILED',
        retryable: false,
        hint: expect.stringContaining('backup'),
      }),
    )
  })
})
