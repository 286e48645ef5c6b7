/** Every agent on one line: is it there, what does it serve, how fast, how much waits. */

import type { AgentView } from '../../api/views.ts'
import { bodyOf, emptyState, h, replace } from './dom.ts'
import { toBytes, toCount, toFigure, toLatency } from './format.ts'
import { currentModel, state } from './state.ts'
import { relativeTime } from './times.ts'

const presences = {
  online: ['good', '● online'],
  offline: ['act', '○ offline'],
  unknown: ['watch', '? unknown'],
} as const

export const renderAgents = (): void => {
  const model = currentModel()
  if (state.agents.length === 0) {
    replace(
      bodyOf('agents'),
      emptyState(
        'No agent has been heard yet.',
        'An agent appears here as soon as it connects to the broker.',
      ),
    )
    return
  }
  const unit = model?.definition.unit ?? ''
  replace(
    bodyOf('agents'),
    h(
      'div',
      {
        class: 'scroll',
        tabindex: 0,
        role: 'region',
        'aria-labelledby': 'agents-title',
        id: 'agents-scroll',
      },
      h(
        'table',
        { class: 'rows' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ...['Agent', 'Presence', 'Heard', 'Serves'].map((name) => h('th', { scope: 'col' }, name)),
            h('th', { scope: 'col', class: 'right' }, 'Latency ', h('small', {}, 'p50 / p95 / p99')),
            h(
              'th',
              { scope: 'col', class: 'right' },
              'MAE ',
              h('small', {}, unit === '' ? 'live' : `live, ${unit}`),
            ),
            h('th', { scope: 'col', class: 'right' }, 'Backlog ', h('small', {}, 'readings')),
            h('th', { scope: 'col', class: 'right' }, 'Memory'),
            h('th', { scope: 'col' }, 'Last alarm'),
          ),
        ),
        h(
          'tbody',
          {},
          state.agents.map((agent) => rowOf(agent, model?.model)),
        ),
      ),
    ),
  )
}

const rowOf = (agent: AgentView, model: string | undefined) => {
  const served = agent.models.find((candidate) => candidate.model === model)
  const live = served?.live ?? null
  const [tone, presence] = presences[agent.presence]
  return h(
    'tr',
    { 'data-agent': agent.agent },
    h('th', { scope: 'row' }, agent.agent),
    h('td', { 'data-label': 'Presence' }, h('span', { class: tone }, presence)),
    h('td', { 'data-label': 'Heard' }, relativeTime(agent.heardAt)),
    h('td', { 'data-label': 'Serves' }, servesOf(served)),
    h('td', { class: 'right', 'data-label': 'Latency p50 / p95 / p99' }, latencyOf(live)),
    h(
      'td',
      { class: 'right', 'data-label': 'MAE, live' },
      h(
        'span',
        {},
        toFigure(live?.figures.mae),
        h('small', {}, live === null ? '' : ` n ${toCount(live.figures.rows)}`),
      ),
    ),
    h('td', { class: 'right', 'data-label': 'Backlog, readings' }, backlogOf(agent)),
    h(
      'td',
      { class: 'right', 'data-label': 'Memory' },
      agent.process === null ? '–' : toBytes(agent.process.residentBytes),
    ),
    h('td', { 'data-label': 'Last alarm' }, alarmOf(agent)),
  )
}

type Served = AgentView['models'][number]

const servesOf = (served: Served | undefined) => {
  if (served === undefined) return h('span', { class: 'muted' }, 'nothing yet')
  const { version, phase, challenger, pinned } = served
  return h(
    'span',
    {},
    version === null ? h('span', { class: 'muted' }, 'nothing yet') : h('strong', {}, `v${version}`),
    pinned
      ? h('span', { class: 'tag watch', title: 'Held by a technician: new versions wait' }, '⚲ pinned')
      : null,
    phase === 'idle'
      ? null
      : h('span', { class: 'tag' }, `${phase}${challenger === null ? '' : ` v${challenger}`}`),
  )
}

const latencyOf = (live: Served['live']) => {
  if (live === null || live.latencyMs === null) return '–'
  const { p50, p95, p99 } = live.latencyMs
  return h(
    'span',
    { title: `${toCount(live.runs)} forecast runs, ${toCount(live.failures)} failed` },
    `${toLatency(p50)} / ${toLatency(p95)} / ${toLatency(p99)}`,
  )
}

const backlogOf = ({ backlog }: AgentView) => {
  if (backlog === null) return '–'
  const { readings, batches, bytes, dropped, oldestAt } = backlog
  const title = `${toCount(batches)} batches, ${toBytes(bytes)}`
  return h(
    'span',
    { title },
    toCount(readings),
    oldestAt === null ? null : h('small', {}, ' since ', relativeTime(oldestAt)),
    dropped === 0 ? null : h('span', { class: 'tag act' }, `▲ ${toCount(dropped)} dropped`),
  )
}

const alarmOf = ({ alarms }: AgentView) => {
  const [alarm] = alarms
  if (alarm === undefined) return h('span', { class: 'muted' }, 'none')
  const code = alarm.evidence.code
  return h(
    'span',
    {},
    h('span', { class: alarm.level }, alarm.level === 'act' ? '▲ ' : '△ ', alarm.kind),
    typeof code === 'string' ? ` ${code}` : '',
    alarm.version === null ? '' : ` v${alarm.version}`,
    ' ',
    h('small', {}, relativeTime(alarm.at)),
  )
}
