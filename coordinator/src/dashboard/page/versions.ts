/** Every version with its figures, newest first; two of them can be picked for comparison, one for its lineage. */

import type { VersionView } from '../../api/views.ts'
import { bodyOf, emptyState, h, replace } from './dom.ts'
import { toCount, toFigure, toRSquared } from './format.ts'
import { shadowStanding } from './shadow.ts'
import { currentLineage, currentModel, currentPair, state } from './state.ts'
import { relativeTime } from './times.ts'
import { showVersionCharts, versionChartsElement } from './version-charts.ts'

interface Picks {
  readonly onPair: () => void
  readonly onLineage: () => void
}

/** Points that a chart of this width can show apart; the table holds all. */
const chartedMax = 40

const states: Readonly<Record<VersionView['state'], readonly [tone: string, words: string]>> = {
  trained: ['muted', '… at the gate'],
  promoted: ['good', '● promoted'],
  rejected: ['muted', '✕ rejected'],
  inconclusive: ['watch', '◇ inconclusive'],
}

const table = h('div', {
  class: 'scroll tall',
  tabindex: 0,
  role: 'region',
  'aria-labelledby': 'versions-title',
  id: 'versions-scroll',
})
const frame = h('div', {}, versionChartsElement, table)

export const renderVersions = (picks: Picks): void => {
  const { versions } = state
  const unit = currentModel()?.definition.unit ?? ''
  if (versions.length === 0) {
    replace(
      bodyOf('versions'),
      emptyState(
        'No version yet.',
        'Each training makes one; its figures and the gate’s verdict are kept here for ever.',
      ),
    )
    return
  }
  if (frame.parentElement === null) replace(bodyOf('versions'), frame)
  showVersionCharts(versions.slice(-chartedMax), unit)
  replace(
    table,
    h(
      'table',
      { class: 'rows', id: 'versions-table' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col', title: 'First of the comparison' }, 'A'),
          h('th', { scope: 'col', title: 'Second of the comparison' }, 'B'),
          ...['Version', 'Verdict'].map((name) => h('th', { scope: 'col' }, name)),
          ...['Trained', 'Learner', 'Trigger'].map((name) => h('th', { scope: 'col', class: 'wide' }, name)),
          h('th', { scope: 'col', class: 'right' }, 'MSE ', h('small', {}, `${unit}²`)),
          h('th', { scope: 'col', class: 'right' }, 'MAE ', h('small', {}, unit)),
          h('th', { scope: 'col', class: 'right' }, 'R²'),
          h('th', { scope: 'col', class: 'right' }, 'n'),
          h('th', { scope: 'col', class: 'right' }, 'Live MAE ', h('small', {}, unit)),
          h('th', { scope: 'col' }, 'Served by'),
          h('th', { scope: 'col' }, 'Lineage'),
        ),
      ),
      h(
        'tbody',
        {},
        versions.toReversed().map((version) => rowOf(version, picks)),
      ),
    ),
  )
}

const rowOf = (version: VersionView, picks: Picks) => {
  const { figures, live, servedBy } = version
  const [tone, words] = statusOf(version)
  return h(
    'tr',
    { class: version.champion ? 'champion' : '', 'data-version': version.version },
    h('td', {}, radio('a', version.version, picks)),
    h('td', {}, radio('b', version.version, picks)),
    h(
      'th',
      { scope: 'row' },
      `v${version.version}`,
      version.champion ? h('span', { class: 'tag' }, 'champion') : null,
    ),
    h('td', { class: tone, title: version.decision?.reasons.join('; ') }, words),
    h('td', { class: 'wide' }, relativeTime(version.createdAt)),
    h('td', { class: 'wide' }, version.learner),
    h('td', { class: 'wide' }, version.trigger.kind),
    h('td', { class: 'right' }, toFigure(figures?.mse)),
    h('td', { class: 'right' }, toFigure(figures?.mae)),
    h('td', { class: 'right' }, toRSquared(figures?.r2)),
    h('td', { class: 'right' }, toCount(figures?.rows)),
    h(
      'td',
      { class: 'right' },
      toFigure(live?.figures.mae),
      live === null ? null : h('small', {}, ` n ${toCount(live.figures.rows)}`),
    ),
    h('td', {}, servedBy.length > 3 ? `${servedBy.length} agents` : servedBy.join(', ') || '–'),
    h('td', {}, lineageButton(version.version, picks)),
  )
}

const statusOf = (version: VersionView): readonly [tone: string, words: string] => {
  const [tone, words] = states[version.state]
  const standing = shadowStanding(version.shadow)
  if (standing === undefined) return [tone, words]
  return standing === 'in shadow' ? ['watch', '◇ in shadow'] : [tone, `${words} ${standing}`]
}

const radio = (side: 'a' | 'b', version: number, { onPair }: Picks) => {
  const [a, b] = currentPair() ?? []
  const input = h('input', {
    type: 'radio',
    name: `compare-${side}`,
    id: `compare-${side}-${version}`,
    value: version,
    checked: version === (side === 'a' ? a : b),
    'aria-label': `Compare version ${version} as ${side.toUpperCase()}`,
  })
  input.addEventListener('change', () => {
    if (side === 'a') state.pickA = version
    else state.pickB = version
    onPair()
  })
  return input
}

const lineageButton = (version: number, { onLineage }: Picks) => {
  const button = h(
    'button',
    {
      type: 'button',
      id: `lineage-${version}`,
      'aria-pressed': String(currentLineage() === version),
      'aria-label': `Lineage of version ${version}`,
    },
    'show',
  )
  button.addEventListener('click', () => {
    state.pickLineage = version
    onLineage()
  })
  return button
}
