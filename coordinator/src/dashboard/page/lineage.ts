/** Where a version comes from: the line of its ancestors, and every step that made it with the hash that proves it. */

import type { LineageView } from '../../api/views.ts'
import { bodyOf, emptyState, h, replace } from './dom.ts'
import { toFigure } from './format.ts'
import { relativeTime } from './times.ts'

const states = { trained: '…', promoted: '●', rejected: '✕', inconclusive: '◇' } as const

export const renderLineage = (
  lineage: LineageView | undefined,
  onVersion: (version: number) => void,
): void => {
  if (lineage === undefined) {
    replace(
      bodyOf('lineage'),
      emptyState(
        'No version yet.',
        'A version’s trigger, dataset, training, decision, signature and deployments are shown here.',
      ),
    )
    return
  }
  const { version, ancestors, children, steps, checks } = lineage
  replace(
    bodyOf('lineage'),
    h(
      'nav',
      { class: 'ancestors', 'aria-label': `Ancestors of version ${version}` },
      children.length === 0
        ? null
        : [
            h('span', { class: 'muted' }, 'continued in '),
            ...children.map((child) => jump(child, `v${child}`, onVersion)),
            h('span', { class: 'muted' }, ' → '),
          ],
      ancestors.flatMap((ancestor, index) => {
        const words = `${states[ancestor.state]} v${ancestor.version}`
        const figure = ancestor.figures === null ? '' : ` MSE ${toFigure(ancestor.figures.mse)}`
        return [
          index === 0
            ? h('strong', { class: 'box current', 'aria-current': 'true' }, words, h('small', {}, figure))
            : jump(ancestor.version, `${words}${figure}`, onVersion),
          h('span', { class: 'muted' }, index === ancestors.length - 1 ? ' ← first' : ' ← from '),
        ]
      }),
    ),
    h(
      'div',
      { class: 'columns' },
      h(
        'ol',
        { class: 'steps' },
        steps.map(({ step, title, detail, at, sha256 }) =>
          h(
            'li',
            { class: step },
            h('p', {}, h('strong', {}, title), ' ', at === null ? null : h('small', {}, relativeTime(at))),
            detail === '' ? null : h('p', { class: 'muted' }, detail),
            sha256 === null
              ? null
              : h('p', {}, h('code', { title: sha256 }, `sha256 ${sha256.slice(0, 16)}…`)),
          ),
        ),
      ),
      checks.length === 0
        ? null
        : h(
            'div',
            {},
            h('h3', {}, 'The gate’s conditions'),
            h(
              'ul',
              { class: 'checks' },
              checks.map(({ name, passed, detail }) =>
                h(
                  'li',
                  {},
                  h('span', { class: passed ? 'good' : 'act' }, passed ? '✓ ' : '✕ '),
                  h('strong', {}, name),
                  ` ${detail}`,
                ),
              ),
            ),
          ),
    ),
  )
}

const jump = (version: number, words: string, onVersion: (version: number) => void) => {
  const button = h('button', { type: 'button', class: 'box', id: `ancestor-${version}` }, words)
  button.addEventListener('click', () => onVersion(version))
  return button
}
