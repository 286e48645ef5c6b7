/** What the gate decided last, by which numbers, and how long the way to the agents took. */

import type { RoundView } from '../../api/views.ts'
import { bodyOf, emptyState, h, replace } from './dom.ts'
import { toCount, toFigure, toRSquared, toSpan } from './format.ts'
import { shadowStanding } from './shadow.ts'
import { currentModel, state } from './state.ts'
import { relativeTime } from './times.ts'

const verdicts = {
  promote: ['good', '✓ promoted'],
  reject: ['muted', '✕ rejected'],
  inconclusive: ['watch', '◇ inconclusive'],
} as const

export const renderRound = (): void => {
  const model = currentModel()
  const round = state.rounds.find(
    (candidate) =>
      candidate.model === model?.model && (candidate.verdict !== null || candidate.failure !== null),
  )
  if (model === undefined || round === undefined) {
    replace(
      bodyOf('round'),
      emptyState(
        'Nothing decided yet.',
        'After each training the gate compares challenger and champion on the same rows.',
      ),
    )
    return
  }
  replace(bodyOf('round'), round.failure === null ? decided(round, model.definition.unit) : failed(round))
}

const failed = ({ failure, run, trigger }: RoundView) =>
  h(
    'div',
    {},
    h('p', { class: 'act' }, `▲ ${run} failed: ${failure?.code ?? ''}`),
    h('p', {}, failure?.message ?? ''),
    h('p', { class: 'muted' }, failure?.hint ?? '', ' · triggered ', relativeTime(trigger.at)),
  )

const decided = (round: RoundView, unit: string) => {
  const { champion, challenger, version, reasons, trigger, delayMs } = round
  const [tone, words] = verdictOf(round)
  const against = championName(champion)
  const row = (name: string, one: string, other: string) =>
    h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, one), h('td', {}, other))
  return h(
    'div',
    {},
    h(
      'p',
      { class: 'headline' },
      h('strong', { class: 'number' }, `v${version ?? '–'}`),
      h('strong', { class: tone, id: 'verdict' }, words),
      h('span', { class: 'muted' }, `${trigger.kind} trigger `, relativeTime(trigger.at)),
    ),
    h(
      'table',
      { class: 'figures' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col', class: 'muted' }, `same ${toCount(challenger?.rows)} rows`),
          h('th', { scope: 'col' }, `challenger v${version ?? ''}`),
          h('th', { scope: 'col' }, `champion ${against}`),
        ),
      ),
      h(
        'tbody',
        {},
        row(`MSE, ${unit}²`, toFigure(challenger?.mse), toFigure(champion?.mse)),
        row(`MAE, ${unit}`, toFigure(challenger?.mae), toFigure(champion?.mae)),
        row('R²', toRSquared(challenger?.r2), toRSquared(champion?.r2)),
      ),
    ),
    h('p', {}, reasons.join('; ')),
    delayMs === null ? null : h('p', { class: 'muted' }, delayText(delayMs)),
  )
}

/** What the gate left open may be in shadow by now, or decided there. */
const verdictOf = ({ verdict, version }: RoundView): readonly [tone: string, words: string] => {
  const [tone, words] = verdicts[verdict ?? 'inconclusive']
  const shadow = state.versions.find((candidate) => candidate.version === version)?.shadow ?? null
  const standing = shadowStanding(shadow)
  return [tone, standing === undefined ? words : `${words}, ${standing}`]
}

const championName = (champion: RoundView['champion']): string => {
  if (champion === null) return 'baseline'
  return champion.version === null ? champion.learner : `v${champion.version}`
}

const delayText = (delayMs: NonNullable<RoundView['delayMs']>): string => {
  const { total, ...steps } = delayMs
  const longest = Object.entries(steps)
    .filter((step): step is [string, number] => step[1] !== null)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([name, ms]) => `${name} ${toMs(ms)}`)
  return `Update delay ${toMs(total)} (${longest.join(', ')})`
}

const toMs = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : toSpan(ms)
}
