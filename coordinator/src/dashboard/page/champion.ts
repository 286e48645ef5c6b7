/** The version that forecasts: its figures on the gate's window, and how it does now. */

import { bodyOf, emptyState, h, replace } from './dom.ts'
import { toCount, toFigure, toInterval, toRSquared } from './format.ts'
import { shadowText } from './shadow.ts'
import { currentModel, state } from './state.ts'
import { relativeTime } from './times.ts'

export const renderChampion = (): void => {
  const model = currentModel()
  const champion = state.versions.findLast((version) => version.champion)
  if (model === undefined || champion === undefined) {
    replace(
      bodyOf('champion'),
      emptyState(
        'No version serves yet.',
        'The first one is trained when enough readings are there, and served once the gate finds it better than the seasonal-naive baseline.',
      ),
    )
    return
  }
  const { unit, quantity, intervalMs, horizon } = model.definition
  const { live, figures } = champion
  replace(
    bodyOf('champion'),
    h(
      'p',
      { class: 'headline' },
      h('strong', { class: 'number', id: 'champion-version' }, `v${champion.version}`),
      h('span', {}, champion.learner),
      h('span', { class: 'muted' }, 'trained ', relativeTime(champion.createdAt)),
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
          h('th', { scope: 'col' }, h('span', { class: 'spoken' }, 'Measured on')),
          h('th', { scope: 'col' }, 'MSE ', h('small', {}, `${unit}²`)),
          h('th', { scope: 'col' }, 'MAE ', h('small', {}, unit)),
          h('th', { scope: 'col' }, 'R²'),
          h('th', { scope: 'col' }, 'n'),
        ),
      ),
      h(
        'tbody',
        {},
        figuresRow('Gate’s window', 'champion', figures),
        figuresRow('Live, all agents', 'live', live?.figures ?? null),
        figuresRow('Baseline, live', 'baseline', live?.baseline ?? null),
      ),
    ),
    live?.coverage === undefined
      ? null
      : h(
          'p',
          { class: 'muted', id: 'coverage' },
          `${Math.round(live.coverage.share * 100)} % of ${toCount(live.coverage.rows)} actuals lay between the lowest and the highest quantile of their forecast.`,
        ),
    model.shadow === null ? null : h('p', { class: 'watch', id: 'shadow' }, shadowText(model.shadow)),
    h(
      'p',
      { class: 'muted' },
      `${model.model}: ${quantity}, ${horizon} steps of ${toInterval(intervalMs)} ahead · served by ${champion.servedBy.join(', ') || 'no agent yet'}`,
    ),
  )
}

const figuresRow = (
  name: string,
  id: string,
  figures: { mse: number | null; mae: number | null; r2: number | null; rows: number } | null,
) =>
  h(
    'tr',
    { id: `figures-${id}` },
    h('th', { scope: 'row' }, name),
    h('td', {}, toFigure(figures?.mse)),
    h('td', {}, toFigure(figures?.mae)),
    h('td', {}, toRSquared(figures?.r2)),
    h('td', {}, toCount(figures?.rows)),
  )
