/** Loads what the panels show and draws them; many wishes to load again within a moment become one. */

import { renderAgents } from './agents.ts'
import { renderChampion } from './champion.ts'
import { client } from './client.ts'
import { renderComparison } from './comparison.ts'
import { renderFeed } from './feed.ts'
import { renderForecasts } from './forecasts.ts'
import { renderHeader, renderModelPicker, showTrouble } from './header.ts'
import { renderLineage } from './lineage.ts'
import { renderRound } from './round.ts'
import { currentLineage, currentModel, currentPair, state } from './state.ts'
import { setNow } from './times.ts'
import { renderTrigger } from './trigger.ts'
import { renderVersions } from './versions.ts'

/** Loading again is gathered: a round of training is a dozen events within seconds. */
const gatherMs = 300

/** Runs `load`; while it runs, or within the gathering time, further calls become one more run. */
export const gathered = (load: () => Promise<void>): (() => void) => {
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

export const loadHealth = async () => {
  state.health = await client.health()
  setNow(state.health.now)
  renderHeader()
}

export const loadVersions = async () => {
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

export const loadForecasts = async () => {
  const { model } = state
  if (model === undefined) return renderForecasts()
  // All meters once, to know their names; afterwards only the one that is looked at.
  const all = state.meter === undefined ? await client.forecasts(model, undefined) : undefined
  state.meter ??= all?.meters[0]
  state.forecasts = all ?? (await client.forecasts(model, state.meter))
  return renderForecasts()
}

export const loadEverything = async () => {
  await loadHealth()
  const [agents, models, events] = await Promise.all([client.agents(), client.models(), client.audit()])
  state.agents = agents
  state.models = models
  state.events = events
  state.model = models.some(({ model }) => model === state.model) ? state.model : models[0]?.model
  renderModelPicker()
  renderHeader()
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
