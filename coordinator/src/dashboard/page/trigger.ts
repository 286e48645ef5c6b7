/** How far the next training is: readings or time, whichever comes first; and the one that runs. */

import type { ModelView } from '../../api/views.ts'
import { bodyOf, emptyState, h, replace } from './dom.ts'
import { toCount, toSpan } from './format.ts'
import { currentModel } from './state.ts'
import { nowMs, relativeTime } from './times.ts'

const phases: Readonly<Record<NonNullable<ModelView['run']>['phase'], string>> = {
  queued: 'waits for its turn',
  freezing: 'freezes the dataset',
  training: 'trains',
  gating: 'is judged by the gate',
  signing: 'is signed',
  publishing: 'is sent to the agents',
  'rolling-out': 'reaches the agents',
}

export const renderTrigger = (): void => {
  const model = currentModel()
  if (model === undefined) {
    replace(bodyOf('trigger'), emptyState('No model is defined.', 'Name one with --models at the start.'))
    return
  }
  const { trigger, run } = model
  replace(
    bodyOf('trigger'),
    run === null ? null : runOf(run),
    meter(
      'New verified readings',
      trigger.readings / Math.max(1, trigger.threshold),
      h(
        'span',
        { id: 'trigger-readings' },
        h('strong', {}, toCount(trigger.readings)),
        ` of ${toCount(trigger.threshold)}`,
      ),
    ),
    trigger.dueAt === null || trigger.intervalMs === null
      ? h('p', { class: 'muted' }, 'No interval: only readings, drift or a person start a training.')
      : meter(
          'Or time',
          1 - (trigger.dueAt - nowMs()) / trigger.intervalMs,
          h('span', { id: 'trigger-due' }, 'due ', relativeTime(trigger.dueAt)),
          ` of every ${toSpan(trigger.intervalMs)}`,
        ),
    notes(trigger),
  )
}

const meter = (name: string, share: number, ...said: (Node | string)[]) => {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100)
  return h(
    'div',
    { class: 'meter' },
    h('p', {}, h('span', { class: 'muted' }, name), h('span', {}, ...said)),
    h('progress', { max: 100, value: percent, 'aria-label': `${name}: ${percent} %` }),
  )
}

const runOf = ({ phase, progress, detail, startedAt, run }: NonNullable<ModelView['run']>) =>
  h(
    'div',
    { class: 'meter running', id: 'running' },
    h(
      'p',
      {},
      h('span', {}, h('strong', {}, `${run} ${phases[phase]}`), detail === '' ? '' : ` – ${detail}`),
      h('span', { class: 'muted' }, 'started ', relativeTime(startedAt)),
    ),
    // Without a value the bar shows that something is going on, not how much.
    h('progress', {
      max: 100,
      value: progress === null ? null : Math.round(progress * 100),
      'aria-label': phases[phase],
    }),
  )

const notes = (trigger: ModelView['trigger']) => {
  const { readingsTotal, readingsMin, coolDownUntil, blocked, lastTrainingAt } = trigger
  if (blocked !== null) return h('p', { class: 'watch' }, `△ Nothing starts on its own: ${blocked}`)
  if (readingsTotal < readingsMin) {
    return h(
      'p',
      { class: 'muted' },
      `A training needs ${toCount(readingsMin)} readings; ${toCount(readingsTotal)} are there.`,
    )
  }
  if (coolDownUntil !== null && coolDownUntil > nowMs()) {
    return h('p', { class: 'muted' }, 'Cooling down; may start ', relativeTime(coolDownUntil), '.')
  }
  return h(
    'p',
    { class: 'muted' },
    lastTrainingAt === null
      ? 'Never trained.'
      : h('span', {}, 'Last training ', relativeTime(lastTrainingAt)),
    ` · ${toCount(readingsTotal)} readings stored`,
  )
}
