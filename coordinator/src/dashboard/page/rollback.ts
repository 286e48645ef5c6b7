/** The dialog in which a technician signs a rollback, and follows what the agent makes of it. */

import type { AuditEventView } from '../../api/views.ts'
import { client } from './client.ts'
import { h, replace } from './dom.ts'
import { field, form, openDialog, select } from './forms.ts'
import { signOrder } from './sign.nacl.ts'
import { state } from './state.ts'

/** Orders of this page whose answer has not come. */
const awaited = new Map<string, (event: AuditEventView) => void>()

/** A fact came in; it may be the answer to an order. */
export const noteAnswer = ({ event, ...rest }: AuditEventView): void => {
  const { kind, commandId = '' } = event as { kind: string; commandId?: string }
  if (kind !== 'command-seen') return
  awaited.get(commandId)?.({ event, ...rest })
}

export const openRollback = (): void => {
  const agent = select(
    state.agents.map((each) => [each.agent, `${each.agent} – ${each.presence}`] as const),
    { id: 'rollback-agent', required: true },
  )
  const model = select(
    state.models.map((each) => [each.model, each.model] as const),
    { id: 'rollback-model', required: true },
    state.model,
  )
  const target = h('select', { id: 'rollback-target' })
  const serving = h('p', { class: 'muted', id: 'rollback-serving' })
  const reason = h('input', { id: 'rollback-reason', required: true, maxlength: 500, autocomplete: 'off' })
  const key = h('input', { id: 'rollback-key', type: 'file', required: true })
  const answers = h('ol', { class: 'answers', id: 'rollback-answers', role: 'log' })
  const fill = (): void => {
    const served = servedBy(agent.value, model.value)
    serving.textContent = served === null ? 'It serves nothing yet.' : `It serves version ${served} now.`
    replace(target, targetsOf(model.value, served))
  }
  agent.addEventListener('change', fill)
  model.addEventListener('change', fill)
  fill()
  const dialog = openDialog(
    'rollback',
    'Sign a rollback',
    form(
      { id: 'rollback-form' },
      'Sign and send',
      [
        field('Agent', agent),
        serving,
        field('Model', model),
        field('Back to', target),
        field('Reason', reason, 'The agent and the registry record it.'),
        field('Key file', key, 'Stays in this browser: only the signed order is sent.'),
      ],
      async (say) => {
        const file = key.files?.[0]
        if (file === undefined) throw new Error('choose the file of your key')
        const wish = { agent: agent.value, model: model.value, to: target.value, reason: reason.value }
        const { commandId, by } = await sendRollback(file, wish, (event) =>
          answers.append(h('li', { class: event.tone }, event.sentence)),
        )
        dialog.addEventListener('close', () => awaited.delete(commandId))
        say(`✓ Signed by ${by} and sent. The answer of ${agent.value} comes below.`)
      },
    ),
    answers,
  )
}

const sendRollback = async (
  file: File,
  wish: { agent: string; model: string; to: string; reason: string },
  onAnswer: (event: AuditEventView) => void,
) => {
  // A key file has some hundred bytes.
  if (file.size > 100_000) throw new Error('this is no key file: it is too large')
  const order = {
    site: state.health?.site ?? '',
    agents: [wish.agent],
    model: wish.model,
    operation: 'rollback',
    target: wish.to === 'previous' ? 'previous' : Number(wish.to),
    reason: wish.reason.trim(),
  } as const
  const terms = { now: Date.now(), commandId: crypto.randomUUID(), counters: localStorage }
  const { envelope, commandId, by } = await signOrder(
    await file.text(),
    { ...order, agents: [wish.agent] },
    terms,
  )
  // Listening comes before speaking: an agent next door answers within a millisecond.
  awaited.set(commandId, onAnswer)
  try {
    await client.passOn(envelope)
  } catch (error) {
    awaited.delete(commandId)
    throw error
  }
  return { commandId, by }
}

const servedBy = (agent: string, model: string): number | null =>
  state.agents.find((each) => each.agent === agent)?.models.find((each) => each.model === model)?.version ??
  null

const targetsOf = (model: string, served: number | null) => [
  h('option', { value: 'previous' }, 'the version before'),
  ...(model === state.model ? state.versions : [])
    .filter((each) => each.state === 'promoted' && each.version !== served)
    .toReversed()
    .map(({ version }) => h('option', { value: version }, `version ${version}`)),
]
