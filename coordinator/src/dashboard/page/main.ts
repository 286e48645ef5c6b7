/** Asks who is there, loads what there is, listens to what changes, and has the panels drawn that a change concerns. */

import type { AgentView, AuditEventView, ModelView } from '../../api/views.ts'
import { renderAccount } from './account.ts'
import { renderAgents } from './agents.ts'
import { renderFeed } from './feed.ts'
import { startForecasts } from './forecasts.ts'
import { element, renderHeader, sayConnection, showTrouble } from './header.ts'
import { watchEvents } from './live.ts'
import { awaitLogin } from './login.ts'
import { gathered, loadEverything, loadForecasts, loadHealth, loadVersions } from './loads.ts'
import { noteAnswer } from './rollback.ts'
import { currentModel, eventsShownMax, state } from './state.ts'
import { nowMs, refreshTimes } from './times.ts'
import { renderTrigger } from './trigger.ts'

const clockMs = 1_000
/** How often what no event announces (live figures, health) is loaded again. */
const refreshMs = 10_000

/** Facts that change nothing of what the panels show. */
const aboutNoVersion: ReadonlySet<string> = new Set([
  'command-seen',
  'command-passed-on',
  'root-accepted',
  'login',
  'login-failed',
  'user-changed',
  'token-changed',
])

/** Draws once a frame, however many changes come: a hundred agents report at the same moment. */
const oncePerFrame = (render: () => void): (() => void) => {
  let waiting = false
  return () => {
    if (waiting) return
    waiting = true
    requestAnimationFrame(() => {
      waiting = false
      render()
    })
  }
}

const drawAgents = oncePerFrame(() => {
  renderAgents()
  renderHeader()
})
const drawFeed = oncePerFrame(renderFeed)

const keepAgent = (agent: AgentView) => {
  const others = state.agents.filter((known) => known.agent !== agent.agent || known.site !== agent.site)
  state.agents = [...others, agent].toSorted((a, b) => (a.agent < b.agent ? -1 : 1))
  drawAgents()
}

const keepModel = (model: ModelView) => {
  if (state.models.every((known) => known.model !== model.model)) return reloadEverything()
  state.models = state.models.map((known) => (known.model === model.model ? model : known))
  if (model.model === state.model) renderTrigger()
  return undefined
}

const keepEvent = (event: AuditEventView) => {
  if (state.events.some(({ seq }) => seq === event.seq)) return
  noteAnswer(event)
  state.events = [event, ...state.events].slice(0, eventsShownMax)
  drawFeed()
  if (!aboutNoVersion.has(event.kind)) reloadVersions()
}

const reloadEverything = gathered(loadEverything)
const reloadVersions = gathered(loadVersions)
const reloadForecasts = gathered(loadForecasts)
const refresh = gathered(async () => {
  await loadHealth()
  await loadVersions()
})

renderAccount(await awaitLogin())
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
  onConnected: () => sayConnection('● live', 'good'),
  onLost: () => sayConnection('○ connection lost – figures are old, trying again', 'act'),
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
