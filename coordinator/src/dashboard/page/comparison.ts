/** Two versions side by side, with what the figures were measured on. */

import type { ComparisonView } from '../../api/views.ts'
import { bodyOf, emptyState, h, replace } from './dom.ts'
import { toBytes, toChange, toCount, toDayAndClock, toFigure, toLatency, toRSquared } from './format.ts'

type Line = ComparisonView['lines'][number]

const bases: readonly Line['basis'][] = ['gate', 'fleet', 'training']

export const renderComparison = (comparison: ComparisonView | undefined, unit: string): void => {
  if (comparison === undefined) {
    replace(
      bodyOf('comparison'),
      emptyState('There are not two versions yet.', 'Pick A and B in the list of versions once there are.'),
    )
    return
  }
  const { a, b, lines, traits } = comparison
  replace(
    bodyOf('comparison'),
    h(
      'div',
      {
        class: 'scroll',
        tabindex: 0,
        role: 'region',
        'aria-labelledby': 'comparison-title',
        id: 'comparison-scroll',
      },
      h(
        'table',
        { class: 'rows', id: 'comparison-table' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('td', {}),
            h('th', { scope: 'col', class: 'right' }, `A: v${a}`),
            h('th', { scope: 'col', class: 'right' }, `B: v${b}`),
            h('th', { scope: 'col', class: 'right' }, 'B to A'),
          ),
        ),
        ...bases.map((basis) =>
          h(
            'tbody',
            {},
            h(
              'tr',
              { class: 'group' },
              h('th', { colspan: 4, scope: 'rowgroup' }, basisText(basis, comparison)),
            ),
            lines.filter((line) => line.basis === basis).map((line) => rowOf(line, unit)),
          ),
        ),
        h(
          'tbody',
          {},
          h('tr', { class: 'group' }, h('th', { colspan: 4, scope: 'rowgroup' }, 'How they were made')),
          traits.map(({ name, a: ofA, b: ofB, differs }) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row' }, name),
              h('td', { class: 'right' }, ofA),
              h('td', { class: 'right' }, ofB),
              h('td', { class: 'right muted' }, differs ? '≠ differs' : '='),
            ),
          ),
        ),
      ),
    ),
  )
}

const basisText = (basis: Line['basis'], { sameWindow }: ComparisonView): string => {
  if (basis === 'fleet') return 'Live, all agents (each on what it served)'
  if (basis === 'training') return 'Training'
  if (sameWindow === null) return 'Gate – △ different windows: not strictly comparable'
  const { rows, window } = sameWindow
  return `Gate – the same ${toCount(rows)} rows, ${toDayAndClock(window.start)} to ${toDayAndClock(window.end)}`
}

const rowOf = (line: Line, unit: string) => {
  const { name, a, b, change, better, rowsA, rowsB } = line
  const printed = unitOf(line, unit)
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, name, printed === '' ? null : h('small', {}, ` ${printed}`)),
    cell(valueOf(line, a), rowsA, better === 'a'),
    cell(valueOf(line, b), rowsB, better === 'b'),
    h('td', { class: 'right' }, toChange(change)),
  )
}

const cell = (value: string, rows: number | null, better: boolean) =>
  h(
    'td',
    { class: 'right', title: rows === null ? null : `n ${toCount(rows)}` },
    better
      ? h('span', { class: 'tag good', title: 'better' }, '✓', h('span', { class: 'wide' }, ' better'))
      : null,
    better ? h('strong', {}, value) : value,
  )

/** `unit` in a line stands for the unit of the series; what prints its own unit needs none. */
const unitOf = ({ unit }: Line, series: string): string => {
  if (unit === 'ms' || unit === 'B') return ''
  return unit.replace('unit', series)
}

const valueOf = ({ name, unit }: Line, value: number | null): string => {
  if (value === null) return '–'
  if (unit === 'B') return toBytes(value)
  if (unit === 'ms') return toLatency(value)
  return name === 'R²' ? toRSquared(value) : toFigure(value)
}
