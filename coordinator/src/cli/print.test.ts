import { expect, test } from 'vitest'
import { printAgo, printSpan, printTable } from './print.ts'

test('a table is as wide as its widest cells, figures to the right', () => {
  const columns = [{ title: 'AGENT' }, { title: 'n', align: 'right' }] as const
  expect(
    printTable(
      columns,
      [
        ['gw-1', '1,920'],
        ['gateway-12', '7'],
      ],
      'none',
    ),
  ).toBe(['AGENT           n', 'gw-1        1,920', 'gateway-12      7'].join('\n'))
  expect(printTable(columns, [], 'none yet')).toBe('none yet')
})

test('spans and moments are said in one unit', () => {
  expect([0, 119_000, 120_000, 7_200_000, 172_800_000].map(printSpan)).toEqual([
    '0 s',
    '119 s',
    '2 min',
    '2 h',
    '2 d',
  ])
  expect(printAgo(1_000, 61_000)).toBe('60 s ago')
  expect(printAgo(61_000, 1_000)).toBe('in 60 s')
})
