import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toGrid } from './grid.ts'
import { readTable } from './table.csv.ts'
import { toTimes } from './times.ts'

const hourMs = 3_600_000
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-table-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

const write = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

describe('a table', () => {
  test('is read with a byte-order mark, empty fields and words', async () => {
    const table = await readTable(await write('a.csv', '\uFEFFload,kind\r\n1.5,b\r\n,a\r\n2,b\r\n'))
    expect(table.rows).toBe(3)
    expect([...table.numbers('load').values]).toEqual([1.5, Number.NaN, 2])
    expect(table.expanded('kind').map(({ name, values }) => [name, [...values]])).toEqual([
      ['kind = a', [0, 1, 0]],
      ['kind = b', [1, 0, 1]],
    ])
  })

  test('says the line and the column of what is no number', async () => {
    const table = await readTable(await write('b.csv', 'load\n1\nx\n'))
    expect(() => table.numbers('load')).toThrow('line 3, column load: "x" is no number')
    expect(() => table.numbers('lod')).toThrow('no column lod')
  })

  test.each([
    ['a line of another length', 'a,b\n1\n', 'BAD_CSV'],
    ['nothing but a head', 'a,b\n', 'BAD_CSV'],
  ])('with %s fails', async (_, text, code) => {
    await expect(readTable(await write('c.csv', text))).rejects.toMatchObject({ code })
  })

  test('that is not there fails with its path', async () => {
    await expect(readTable(join(folder, 'none.csv'))).rejects.toMatchObject({ code: 'NO_DATA' })
  })
})

describe('times', () => {
  test('are read in the formats of files, without a zone as UTC', () => {
    const read = (word: string, format: Parameters<typeof toTimes>[1]) => toTimes([word], format)[0]
    const expected = Date.UTC(2018, 0, 2, 0, 15)
    expect(read('02/01/2018 00:15', 'DD/MM/YYYY HH:mm')).toBe(expected)
    expect(read('01/02/2018 00:15', 'MM/DD/YYYY HH:mm')).toBe(expected)
    expect(read('2018-01-02 00:15:00', 'iso')).toBe(expected)
    expect(read('2018-01-02T01:15:00+01:00', 'iso')).toBe(expected)
    expect(read(String(expected / 1_000), 'epoch-seconds')).toBe(expected)
  })

  test.each(['31/02/2018 00:00', '2018-01-02', '', '1/13/2018 00:00'])('refuse %j', (word) => {
    expect(() => toTimes([word], 'DD/MM/YYYY HH:mm')).toThrow('line 2')
  })
})

describe('a grid', () => {
  const times = Float64Array.of(0, 0.5, 1, 1.5, 3).map((hour) => hour * hourMs)

  test('averages finer rows into bins closed on the left, labelled right', () => {
    const grid = toGrid(times, { intervalMs: hourMs, label: 'right' })
    expect(grid.start).toBe(hourMs)
    expect([...grid.place(Float64Array.of(1, 3, 5, Number.NaN, 9))]).toEqual([2, 5, Number.NaN, 9])
  })

  test('refuses rows between intervals, and the same time twice', () => {
    expect(() => toGrid(times, { intervalMs: hourMs, label: 'none' })).toThrow('line 3')
    expect(() => toGrid(Float64Array.of(0, 0), { intervalMs: hourMs, label: 'none' })).toThrow('twice')
  })
})
