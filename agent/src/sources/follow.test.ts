import { appendFileSync, copyFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fileSchema } from './config-kinds.ts'
import { createFollowSource } from './follow.fs.ts'
import type { Source } from './source.ts'
import { createTestStore } from './testing/store.sqlite.ts'

const interval = 900_000
const start = Date.UTC(2026, 0, 1)

let store: ReturnType<typeof createTestStore>
let path: string
const running: Source[] = []
beforeEach(() => {
  store = createTestStore()
  path = join(store.folder, 'meters.ndjson')
})
afterEach(async () => {
  for (const source of running.splice(0)) await source.stop()
  store.close()
})

const line = (slot: number): string =>
  `${JSON.stringify({ id: 'm', ts: new Date(start + slot * interval).toISOString(), p: slot })}\n`
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => line(from + i)).join('')

const failures: unknown[] = []
const follow = (options: object = {}): Source => {
  const source = createFollowSource(
    { sink: store.outbox, onFailure: (failure) => failures.push(failure) },
    fileSchema.parse({
      kind: 'file',
      name: 'file',
      path,
      format: 'ndjson',
      meter: 'id',
      at: 'ts',
      pollMs: 10,
      values: [{ field: 'p', register: 'r' }],
      ...options,
    }),
  )
  running.push(source)
  source.start()
  return source
}
const values = (): readonly number[] => store.readings().map(({ value }) => value)
const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, i) => i)
const become = (expected: readonly number[]) => vi.waitFor(() => expect(values()).toEqual(expected), 4_000)

describe('a followed file', () => {
  test('is read from its start, and on as it grows, a line when it is whole', async () => {
    writeFileSync(path, lines(0, 3))
    follow()
    await become(upTo(3))
    appendFileSync(path, line(3).slice(0, 20))
    appendFileSync(path, line(3).slice(20) + line(4).slice(0, -1))
    await become(upTo(4))
    appendFileSync(path, '\n')
    await become(upTo(5))
    expect(store.readings()[1]).toEqual({
      meter: 'm',
      register: 'r',
      at: start + interval,
      value: 1,
      quality: 0,
    })
  })

  test('need not be there yet', async () => {
    const source = follow()
    await vi.waitFor(() => expect(source.figures?.().interruptions).toBe(1))
    writeFileSync(path, lines(0, 2))
    await become(upTo(2))
  })

  test('is renamed and begun anew: the old one is read to its end first', async () => {
    writeFileSync(path, lines(0, 2))
    follow()
    await become(upTo(2))
    appendFileSync(path, lines(2, 4))
    renameSync(path, `${path}.1`)
    appendFileSync(`${path}.1`, line(4).trimEnd())
    writeFileSync(path, lines(5, 7))
    await become(upTo(7))
    expect(values()).toHaveLength(7)
  })

  test('is emptied and written again', async () => {
    writeFileSync(path, lines(0, 3))
    follow()
    await become(upTo(3))
    copyFileSync(path, `${path}.1`)
    truncateSync(path)
    appendFileSync(path, lines(3, 5))
    await become(upTo(5))
    // Longer than before: only its beginning tells.
    writeFileSync(path, lines(5, 12))
    await become(upTo(12))
    expect(values()).toHaveLength(12)
  })

  test('goes on where it was after a restart, over two rotations that happened meanwhile', async () => {
    writeFileSync(path, lines(0, 40))
    const first = follow()
    await become(upTo(40))
    await first.stop()
    appendFileSync(path, lines(40, 42))
    renameSync(path, `${path}.2`)
    writeFileSync(`${path}.1`, lines(42, 44))
    writeFileSync(path, lines(44, 46))
    follow()
    await become(upTo(46))
    expect(values()).toHaveLength(46)
  })

  test('begins again, and says so, where its place is gone', async () => {
    writeFileSync(path, lines(0, 3))
    const first = follow()
    await become(upTo(3))
    await first.stop()
    rmSync(path)
    writeFileSync(path, lines(3, 5))
    const again = follow()
    await become(upTo(5))
    expect(again.figures?.().interruption?.message).toContain('begins again')
  })

  test('that is malformed in places is read all the same, with an example of each mistake', async () => {
    const bad = ['{"id":', '5', '{"id":"m","ts":"yesterday","p":1}', `{"id":"m","ts":${start},"p":"x"}`]
    writeFileSync(
      path,
      `${line(0)}${bad.join('\n')}\n\n${Buffer.from([0xff, 0xfe]).toString('latin1')}\n${line(1)}`,
      'latin1',
    )
    const source = follow()
    await become(upTo(2))
    const { malformed, rejects } = source.figures?.() ?? {}
    expect(malformed).toBe(5)
    expect(rejects?.map(({ code }) => code).toSorted()).toEqual([
      'BAD_LINE',
      'BAD_NUMBER',
      'BAD_TIME',
      'NOT_JSON',
      'NOT_READINGS',
    ])
    expect(rejects?.find(({ code }) => code === 'BAD_TIME')?.example).toBe(bad[2])
  })

  test('begins at its end where that is asked for', async () => {
    writeFileSync(path, lines(0, 3))
    const source = follow({ from: 'end' })
    await vi.waitFor(() => expect(source.state()).toBe('live'))
    appendFileSync(path, lines(3, 5))
    await become([3, 4])
  })
})

test('CSV has its columns named by each file, quotes and empty cells, and samples of counters', async () => {
  const minute = 60_000
  const rows = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, i) => {
      const at = new Date(start + (from + i) * 5 * minute).toISOString()
      return `"house, left",${at},${(from + i) * 100},${i === 2 ? '' : 4}\r\n`
    }).join('')
  writeFileSync(path, `name,time,Wh,kW\r\n${rows(0, 8)}`)
  const options = {
    format: 'csv',
    meter: 'name',
    at: 'time',
    values: [
      {
        field: 'Wh',
        register: '1-0:1.8.0',
        unit: 'Wh',
        to: 'kWh',
        aggregate: 'difference',
        graceMs: 100,
        sampleEveryMs: 5 * minute,
      },
      { field: 'kW', register: '1-0:1.7.0', aggregate: 'mean', sampleEveryMs: 5 * minute, graceMs: 100 },
    ],
  }
  const first = follow(options)
  await vi.waitFor(() => expect(store.readings().length).toBeGreaterThan(2))
  await first.stop()
  renameSync(path, `${path}.1`)
  writeFileSync(
    path,
    `time,name,kW,Wh\r\n${new Date(start + 45 * minute).toISOString()},"house, left",4,900\r\n`,
  )
  follow(options)
  await vi.waitFor(() => {
    const counted = store.readings().filter(({ register }) => register === '1-0:1.8.0')
    expect(counted.map(({ at, quality }) => [(at - start) / interval, quality])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ])
    for (const { value } of counted) expect(value).toBeCloseTo(0.3)
  }, 15_000)
}, 20_000)

test('a file that is read once ends, and says nothing twice after a restart', async () => {
  writeFileSync(path, lines(0, 5_000).trimEnd())
  const first = follow({ follow: false })
  await vi.waitFor(() => expect(first.state()).toBe('ended'), 4_000)
  expect(values()).toEqual(upTo(5_000))
  await first.stop()
  const again = follow({ follow: false })
  await vi.waitFor(() => expect(again.state()).toBe('ended'), 4_000)
  expect(values()).toEqual(upTo(5_000))
})
