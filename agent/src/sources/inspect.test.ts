import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { InspectOptions } from './file-plan.ts'
import { inspectFile } from './inspect.fs.ts'
import { createReplayFeed } from './replay.fs.ts'
import { formatsOf, parseTime } from './time-format.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-inspect-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const inspect = async (text: string | Uint8Array, options: InspectOptions = {}) => {
  const path = join(folder, 'readings.csv')
  writeFileSync(path, text)
  return inspectFile(path, options)
}

const accepted = async (text: string, options: InspectOptions = {}) => {
  const file = await inspect(text, options)
  if (!file.ok) throw new Error(`${file.refusal.code}: ${file.refusal.message}`)
  return file.value
}

const contentOf = async (text: string, options: InspectOptions = {}) => {
  const blocks = []
  for await (const block of createReplayFeed(await accepted(text, options)).blocks(0)) blocks.push(block)
  return blocks.map(({ start, values }) => [
    new Date(start).toISOString(),
    ...values.map((each) => [...each]),
  ])
}

const missing = Number.NaN
const three = (first: string, second: string, third: string, delimiter = ',') =>
  `when${delimiter}load\n${[first, second, third].map((time, i) => `${time}${delimiter}${i + 1}`).join('\n')}\n`

describe('a file of readings', () => {
  test.each([
    ['ISO with Z', '2024-05-01T12:00:00Z', '2024-05-01T12:30:00Z', '2024-05-01T13:00:00Z'],
    ['ISO with an offset', '2024-05-01T14:00:00+02:00', '2024-05-01T14:30:00+0200', '2024-05-01T15:00+02'],
    ['local, taken as UTC', '2024-05-01 12:00:00', '2024-05-01 12:30:00', '2024-05-01 13:00:00'],
    ['day first', '01/05/2024 12:00', '01/05/2024 12:30', '01/05/2024 13:00'],
    ['day first with dots', '1.5.2024 12:00', '1.5.2024 12:30', '1.5.2024 13:00'],
    ['epoch seconds', '1714564800', '1714566600', '1714568400'],
    ['epoch milliseconds', '1714564800000', '1714566600000', '1714568400000'],
    ['quoted', '"2024-05-01 12:00"', '"2024-05-01 12:30"', '"2024-05-01 13:00"'],
  ])('is read with times %s', async (_, ...times) => {
    const file = await accepted(three(...times))
    expect([file.intervalMs, file.time.name]).toEqual([1_800_000, 'when'])
    expect([file.firstAt, file.lastAt].map((at) => new Date(at).toISOString())).toEqual([
      '2024-05-01T12:00:00.000Z',
      '2024-05-01T13:00:00.000Z',
    ])
  })

  test.each([',', ';', '\t'])('is read with %j between cells', async (delimiter) => {
    const text = three('2024-05-01 12:00', '2024-05-01 12:30', '2024-05-01 13:00', delimiter)
    expect(await contentOf(text)).toEqual([['2024-05-01T12:00:00.000Z', [1, 2, 3]]])
  })

  test('is read with a byte order mark, CRLF, empty lines and decimal commas', async () => {
    const text = '\uFEFFdate;Last (kW)\r\n\r\n2024-05-01 12:00;1,5\r\n2024-05-01 13:00;2\r\n;\r\n'
    expect(await contentOf(text)).toEqual([['2024-05-01T12:00:00.000Z', [1.5, 2]]])
    expect((await accepted(text)).columns[0]).toMatchObject({ name: 'Last (kW)', unit: 'kW' })
  })

  test('a month first is told from a day first by the steps that it makes', async () => {
    const days = Array.from({ length: 11 }, (_, i) => String(i + 1).padStart(2, '0'))
    const american = `t,load\n${days.map((day) => `01/${day}/2024 00:00,1`).join('\n')}\n`
    const european = `t,load\n${days.map((day) => `${day}/01/2024 00:00,1`).join('\n')}\n`
    for (const text of [american, european]) {
      const file = await accepted(text)
      expect([file.intervalMs, new Date(file.lastAt).toISOString()]).toEqual([
        86_400_000,
        '2024-01-11T00:00:00.000Z',
      ])
    }
  })

  test('local times become UTC by the given offset', async () => {
    const text = three('2024-05-01 12:00', '2024-05-01 12:30', '2024-05-01 13:00')
    expect((await accepted(text, { timeOffsetMinutes: 120 })).firstAt).toBe(Date.UTC(2024, 4, 1, 10))
  })

  test('missing cells are missing values', async () => {
    const text = 't,a,b\n2024-05-01 12:00,1,\n2024-05-01 13:00,NaN,2\n2024-05-01 14:00,NA,3\n'
    expect(await contentOf(text)).toEqual([
      ['2024-05-01T12:00:00.000Z', [1, missing, missing], [missing, 2, 3]],
    ])
    expect((await accepted(text)).missing).toBe(3)
  })

  test('the hour that comes twice in autumn stands once, the one that spring leaves out is missing', async () => {
    const rows = ['01:00,1', '02:00,2', '02:00,9', '03:00,3', '05:00,5']
    const text = `t,load\n${rows.map((row) => `2024-10-27 ${row}`).join('\n')}\n`
    expect(await contentOf(text, { intervalMs: 3_600_000 })).toEqual([
      ['2024-10-27T01:00:00.000Z', [1, 2, 3, missing, 5]],
    ])
    expect((await accepted(text, { intervalMs: 3_600_000 })).counts).toMatchObject({ duplicates: 1, gaps: 1 })
  })

  test('a midnight with the date of the day that it ends follows that day', async () => {
    const text = 't,load\n01/05/2024 22:00,1\n01/05/2024 23:00,2\n01/05/2024 00:00,3\n02/05/2024 01:00,4\n'
    expect(await contentOf(text)).toEqual([['2024-05-01T22:00:00.000Z', [1, 2, 3, 4]]])
    expect((await accepted(text)).counts.midnights).toBe(1)
  })

  test('a long gap ends the block instead of filling memory', async () => {
    const rows = ['2024-05-01 00:00,1', '2024-05-01 00:15,2', '2024-09-01 00:00,3', '2024-09-01 00:15,4']
    expect(await contentOf(`t,load\n${rows.join('\n')}\n`, { intervalMs: 900_000 })).toEqual([
      ['2024-05-01T00:00:00.000Z', [1, 2]],
      ['2024-09-01T00:00:00.000Z', [3, 4]],
    ])
  })

  test('loads are taken, and what influences them is left, unless it is asked for', async () => {
    const head = 'ts,Load_MWh,Temperature,Holiday,hour,reactive_kVarh'
    const text = `${head}\n2024-05-01 12:00,1,20,TRUE,12,3\n2024-05-01 13:00,2,21,TRUE,13,4\n`
    const names = async (options: InspectOptions) =>
      (await accepted(text, options)).columns.map(({ name, unit }) => [name, unit])
    expect(await names({})).toEqual([['Load_MWh', 'MWh']])
    expect(await names({ columns: ['Temperature', 'Load_MWh'], unit: 'x' })).toEqual([
      ['Temperature', 'x'],
      ['Load_MWh', 'x'],
    ])
    expect((await accepted(text)).others).toEqual(['Temperature', 'hour', 'reactive_kVarh'])
  })
})

const rowsOf = (...rows: string[]) => `t,load\n${rows.map((row) => `2024-05-01 ${row}`).join('\n')}\n`

describe('a file that cannot be read right', () => {
  test.each<[string, string | Uint8Array, string, RegExp, InspectOptions?]>([
    ['is empty', '', 'EMPTY_FILE', /no rows/],
    ['is only a header', 't,load\n', 'EMPTY_FILE', /header/],
    ['is binary', Uint8Array.of(80, 75, 3, 4, 0, 0, 1), 'NOT_CSV', /UTF-8/],
    ['has one column', 'load\n1\n2\n', 'NOT_CSV', /line 1/],
    [
      'has a longer row',
      't,load\n2024-05-01 12:00,1\n2024-05-01 13:00,2,3\n',
      'NOT_CSV',
      /line 3: 3 cells.*2/,
    ],
    ['has a shorter row', 't,load\n2024-05-01 12:00,1\n2024-05-01 13:00\n', 'NOT_CSV', /line 3: 1 cells/],
    ['has an open quote', 't,load\n2024-05-01 12:00,"1\n2024-05-01 13:00,2\n', 'NOT_CSV', /line 3/],
    ['has a column twice', 't,load,load\n2024-05-01 12:00,1,2\n', 'DUPLICATE_COLUMN', /load/],
    ['has no times', 'a,b\n1,2\n3,4\n', 'NO_TIME_COLUMN', /a, b/],
    ['has no numbers', 't,load\n2024-05-01 12:00,x\n2024-05-01 13:00,y\n', 'NO_NUMERIC_COLUMNS', /t, load/],
    ['has a bad time early', rowsOf('12:00,1', '13:00,2', '25:00,3'), 'BAD_TIME', /line 4: .*25:00/],
    ['has a 31 June', 't,load\n30/06/2024 00:00,1\n31/06/2024 00:00,2\n', 'NO_TIME_COLUMN', /t/],
    [
      'goes back',
      rowsOf(
        '12:00,1',
        '13:00,2',
        '14:00,3',
        '15:00,4',
        '16:00,5',
        '17:00,5',
        '18:00,5',
        '19:00,5',
        '20:00,5',
        '21:00,5',
        '22:00,5',
        '23:00,6',
        '01:00,7',
      ),
      'BAD_TIME',
      /line 14: .*sort|line 14/,
    ],
    ['has uneven times', rowsOf('12:00,1', '12:07,2', '13:00,3', '13:55,4'), 'IRREGULAR_INTERVAL', /line \d/],
    ['is off its interval', rowsOf('12:07,1', '13:07,2', '14:07,3'), 'IRREGULAR_INTERVAL', /line 2.*3600 s/],
    [
      'has another interval than said',
      rowsOf('12:00,1', '12:15,2', '12:30,3'),
      'IRREGULAR_INTERVAL',
      /line 3/,
      { intervalMs: 1_800_000 },
    ],
    ['steps in months', 't,load\n2024-01-01,1\n2024-02-01,2\n2024-03-03,3\n', 'IRREGULAR_INTERVAL', /s/],
    [
      'lacks the column asked for',
      rowsOf('12:00,1', '13:00,2'),
      'NO_SUCH_COLUMN',
      /Demand/,
      { columns: ['Demand'] },
    ],
    [
      'lacks the time asked for',
      rowsOf('12:00,1', '13:00,2'),
      'NO_SUCH_COLUMN',
      /Time/,
      { timeColumn: 'Time' },
    ],
    [
      'has words where numbers were asked for',
      rowsOf('12:00,1', '13:00,two'),
      'BAD_NUMBER',
      /line 3: "two" in load/,
      { columns: ['load'] },
    ],
  ])('because it %s says so', async (_, text, code, message, options) => {
    const file = await inspect(text, options)
    expect(file.ok ? 'accepted' : file.refusal.code).toBe(code)
    if (!file.ok) {
      expect(file.refusal.message).toMatch(message)
      expect(file.refusal.hint ?? '').not.toBe('')
    }
  })

  test('because a column of numbers has one word in it, and is not left out for that', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => [new Date(i * 3_600_000).toISOString(), '1', String(i)])
    const text = `t,north,south\n${rows.map((row, i) => (i === 9 ? row.with(2, 'ten') : row).join(',')).join('\n')}\n`
    expect(await inspect(text)).toMatchObject({
      ok: false,
      refusal: { code: 'BAD_NUMBER', message: 'line 11: "ten" in south is not a number' },
    })
  })

  test('beyond the sample, too: a word and a wrong date in line 5,001', async () => {
    const rows = Array.from({ length: 6_000 }, (_, i) => [new Date(i * 3_600_000).toISOString(), String(i)])
    const spoilt = (column: number, text: string) =>
      `t,load\n${rows.map((row, i) => (i === 4_999 ? row.with(column, text) : row).join(',')).join('\n')}\n`
    const refusals = [await inspect(spoilt(1, 'many')), await inspect(spoilt(0, '2199-01-01T00:00:00.000Z'))]
    expect(refusals.map((each) => (each.ok ? '' : `${each.refusal.code} ${each.refusal.message}`))).toEqual([
      expect.stringMatching(/^BAD_NUMBER line 5001: "many"/),
      expect.stringMatching(/^BAD_TIME line 5001/),
    ])
  })

  test('because it is not there says so', async () => {
    const file = await inspectFile(join(folder, 'nowhere.csv'))
    expect(file).toMatchObject({
      ok: false,
      refusal: { code: 'FILE_UNREADABLE', message: 'cannot be read: ENOENT' },
    })
    expect(await inspectFile(folder)).toMatchObject({ ok: false, refusal: { code: 'FILE_UNREADABLE' } })
  })
})

describe('formats of times', () => {
  test('a text that is not a time has none', () => {
    for (const text of [
      '',
      'x',
      '12:00',
      '2024-13-01',
      '2024-05-32',
      '2024-05-01 24:01',
      '5',
      '123456789012345',
    ]) {
      expect(formatsOf([text])).toEqual([])
    }
  })

  test('the end of a day may be written as 24:00', () => {
    expect(parseTime('iso-local', '2024-05-01 24:00', 0)).toBe(Date.UTC(2024, 4, 2))
  })
})

const shared = process.env['IMLMA_DATA'] ?? join(import.meta.dirname, '../../../../shared/data')

describe.skipIf(!existsSync(shared))('the shared files (skipped where ../shared/data is absent)', () => {
  test.each([
    ['vic_electricity.csv', ['Demand'], 1_800_000, 52_608, '2011-12-31T13:00:00.000Z'],
    [
      'ETTh1.csv',
      ['HUFL', 'HULL', 'MUFL', 'MULL', 'LUFL', 'LULL', 'OT'],
      3_600_000,
      17_420,
      '2016-07-01T00:00:00.000Z',
    ],
    ['Steel_industry_data.csv', ['Usage_kWh'], 900_000, 35_040, '2018-01-01T00:15:00.000Z'],
  ])('%s is read without options', async (name, columns, intervalMs, slots, first) => {
    const file = await inspectFile(join(shared, name))
    if (!file.ok) throw new Error(file.refusal.message)
    expect(file.value.columns.map((column) => column.name)).toEqual(columns)
    expect(file.value).toMatchObject({ intervalMs, missing: 0, counts: { slots, gaps: 0, duplicates: 0 } })
    expect(new Date(file.value.firstAt).toISOString()).toBe(first)
  })
})
