/** What happened last, one sentence a fact; on request only what wants somebody. */

import type { AuditEventView } from '../../api/views.ts'
import { bodyOf, emptyState, h, replace, spoken } from './dom.ts'
import { state } from './state.ts'
import { relativeTime } from './times.ts'

const marks: Readonly<Record<AuditEventView['tone'], readonly [mark: string, spoken: string]>> = {
  note: ['·', ''],
  good: ['✓', 'good: '],
  watch: ['△', 'watch: '],
  act: ['▲', 'act: '],
}

let onlyWarnings = false

export const renderFeed = (): void => {
  const wanted = state.events.filter(({ tone }) => !onlyWarnings || tone === 'watch' || tone === 'act')
  const warnings = state.events.filter(({ tone }) => tone === 'act').length
  replace(
    bodyOf('feed'),
    h(
      'p',
      { class: 'buttons', role: 'group', 'aria-label': 'Which events' },
      filterButton('feed-all', 'Everything', false),
      filterButton('feed-warnings', `Warnings (▲ ${warnings})`, true),
    ),
    wanted.length === 0
      ? emptyState(
          onlyWarnings ? 'Nothing to warn of.' : 'Nothing happened yet.',
          onlyWarnings ? '' : 'Trainings, decisions, rollouts and commands are told here as they happen.',
        )
      : h(
          'ol',
          {
            class: 'feed scroll',
            id: 'feed-list',
            tabindex: 0,
            role: 'log',
            'aria-labelledby': 'feed-title',
          },
          wanted.map(itemOf),
        ),
  )
}

const itemOf = ({ tone, sentence, at, seq }: AuditEventView) => {
  const [mark, words] = marks[tone]
  return h(
    'li',
    { class: tone, 'data-seq': seq },
    h('span', { class: 'mark', 'aria-hidden': 'true' }, mark),
    h('span', {}, spoken(words), sentence),
    relativeTime(at),
  )
}

const filterButton = (id: string, words: string, warnings: boolean) => {
  const button = h('button', { type: 'button', id, 'aria-pressed': String(onlyWarnings === warnings) }, words)
  button.addEventListener('click', () => {
    onlyWarnings = warnings
    renderFeed()
  })
  return button
}
