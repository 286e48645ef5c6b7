/** Loads what there is, listens to what changes, and draws the panels that a change concerns. */

import type { AgentView, AuditEventView, ModelView } from '../../api/views.ts'
import { renderAgents } from './agents.ts'
import { renderChampion } from './champion.ts'
import { client } from './client.ts'
import { renderComparison } from './comparison.ts'
import { h, replace } from './dom.ts'
import { renderFeed } from './feed.ts'
import { toDayAndClock } from './format.ts'
import { renderForecasts, startForecasts } from './forecasts.ts'
import { renderLineage } from './lineage.ts'
import { watchEvents } from './live.ts'
import { renderRound } from './round.ts'
import { currentLineage, currentModel, currentPair, eventsShownMax, state } from './state.ts'
import { nowMs, refreshTimes, setNow } from './times.ts'
import { renderTrigger } from './trigger.ts'
import { renderVersions } from './versions.ts'

/** Loading again is gathered: a round of training is a dozen events within seconds. */
const gatherMs = 300
const clockMs = 1_000
/** How often what no event announces (live figures, health) is loaded again. */
const refreshMs = 10_000

const element = (id: string): HTMLElement => {
  const found = document.querySelector<HTMLElement>(`#${id}`)
  if (found === null) throw new Error(`the page has no element ${id}`)
  return found
}

/** Runs `load`; while it runs, or within the gathering time, further calls become one more run. */
const gathered = (load: () => Promise<void>): (() => void) => {
  let waiting = false
  let running = false
  const run = async () => {
    waiting = false
    running = true
    try {
      await load()
      showTrouble(undefined)
    } catch (error) {
      showTrouble(error)
    }
    running = false
    if (waiting) setTimeout(() => void run(), gatherMs)
  }
  return () => {
    if (waiting) return
    waiting = true
    if (!running) setTimeout(() => void run(), gatherMs)
  }
}

const showTrouble = (error: unknown): void => {
  const trouble = element('trouble')
  trouble.hidden = error === undefined
  trouble.textContent =
    error === undefined
      ? ''
      : `▲ Figures may be old: ${error instanceof Error ? error.message : 'an unknown error'}. Trying again.`
}

const loadHealth = async () => {
  state.health = await client.health()
  setNow(state.health.now)
  renderHeader()
}

const loadVersions = async () => {
  const { model } = state
  const [versions, rounds] = await Promise.all([
    model === undefined ? [] : client.versions(model),
    client.rounds(),
  ])
  state.versions = versions
  state.rounds = rounds
  renderChampion()
  renderRound()
  renderVersions(picks)
  await Promise.all([loadComparison(), loadLineage()])
}

const loadComparison = async () => {
  const pair = currentPair()
  const unit = currentModel()?.definition.unit ?? ''
  renderComparison(
    pair === undefined || state.model === undefined ? undefined : await client.compare(state.model, ...pair),
    unit,
  )
}

const loadLineage = async () => {
  const version = currentLineage()
  renderLineage(
    version === undefined || state.model === undefined
      ? undefined
      : await client.lineage(state.model, version),
    (other) => {
      state.pickLineage = other
      picks.onLineage()
    },
  )
}

const loadForecasts = async () => {
  const { model } = state
  if (model === undefined) return renderForecasts()
  // All meters once, to know their names; afterwards only the one that is looked at.
  const all = state.meter === undefined ? await client.forecasts(model, undefined) : undefined
  state.meter ??= all?.meters[0]
  state.forecasts = all ?? (await client.forecasts(model, state.meter))
  return renderForecasts()
}

const loadEverything = async () => {
  await loadHealth()
  const [agents, models, events] = await Promise.all([client.agents(), client.models(), client.audit()])
  state.agents = agents
  state.models = models
  state.events = events
  state.model = models.some(({ model }) => model === state.model) ? state.model : models[0]?.model
  renderModelPicker()
  renderAgents()
  renderTrigger()
  renderFeed()
  await Promise.all([loadVersions(), loadForecasts()])
}

const picks = {
  onPair: () => void loadComparison().catch(showTrouble),
  onLineage: () => {
    renderVersions(picks)
    void loadLineage().catch(showTrouble)
  },
}

const renderHeader = () => {
  const { health } = state
  if (health === undefined) return
  element('site').textContent = health.site
  document.title = `IMLMA ${health.site}`
  const { agentsOnline, agentsKnown, readingsAt, status, problems } = health
  const readings = readingsAt === null ? 'no readings yet' : `readings up to ${toDayAndClock(readingsAt)}`
  replace(
    element('clock'),
    h('span', {}, `${agentsOnline} of ${agentsKnown} agents online`),
    h('span', {}, readings),
    status === 'ok' ? null : h('span', { class: 'act' }, `▲ ${problems.join('; ')}`),
  )
}

const renderModelPicker = () => {
  const picker = element('model') as HTMLSelectElement
  element('model-picker').hidden = state.models.length < 2
  replace(
    picker,
    state.models.map(({ model }) => h('option', { value: model, selected: model === state.model }, model)),
  )
}

const keepAgent = (agent: AgentView) => {
  const others = state.agents.filter((known) => known.agent !== agent.agent || known.site !== agent.site)
  state.agents = [...others, agent].toSorted((a, b) => (a.agent < b.agent ? -1 : 1))
  renderAgents()
}

const keepModel = (model: ModelView) => {
  state.models = state.models.map((known) => (known.model === model.model ? model : known))
  if (model.model === state.model) renderTrigger()
}

const keepEvent = (event: AuditEventView) => {
  if (state.events.some(({ seq }) => seq === event.seq)) return
  state.events = [event, ...state.events].slice(0, eventsShownMax)
  renderFeed()
  if (event.kind !== 'command-seen' && event.kind !== 'root-accepted') reloadVersions()
}

const reloadEverything = gathered(loadEverything)
const reloadVersions = gathered(loadVersions)
const reloadForecasts = gathered(loadForecasts)
const refresh = gathered(async () => {
  await loadHealth()
  await loadVersions()
})

const say = (words: string, tone: string) => {
  const connection = element('connection')
  connection.textContent = words
  connection.className = tone
}

startForecasts((meter) => {
  state.meter = meter
  void loadForecasts().catch(showTrouble)
})
element('model').addEventListener('change', (event) => {
  const { value } = event.target as HTMLSelectElement
  Object.assign(state, {
    model: value,
    meter: undefined,
    pickA: undefined,
    pickB: undefined,
    pickLineage: undefined,
  })
  reloadEverything()
})

await loadEverything().catch(showTrouble)
watchEvents(() => state.events[0]?.seq ?? 0, {
  onConnected: () => say('● live', 'good'),
  onLost: () => say('○ connection lost – figures are old, trying again', 'act'),
  onReset: reloadEverything,
  onAudit: keepEvent,
  onAgent: keepAgent,
  onModel: keepModel,
  onForecasts: (model) => {
    if (model === state.model) reloadForecasts()
  },
})
setInterval(() => {
  refreshTimes()
  const due = currentModel()?.trigger.dueAt
  if (due !== null && due !== undefined && due > nowMs()) renderTrigger()
}, clockMs)
setInterval(refresh, refreshMs)
