/** What the page knows at the moment, and who wants to hear of a change. */

import type {
  AgentView,
  AuditEventView,
  ForecastsView,
  HealthView,
  ModelView,
  RoundView,
  VersionView,
} from '../../api/views.ts'

export interface State {
  health: HealthView | undefined
  agents: readonly AgentView[]
  models: readonly ModelView[]
  /** Name of the model that is looked at. */
  model: string | undefined
  /** Of that model, oldest first. */
  versions: readonly VersionView[]
  rounds: readonly RoundView[]
  /** Latest first, bounded. */
  events: readonly AuditEventView[]
  forecasts: ForecastsView | undefined
  meter: string | undefined
  /** Versions to compare, and the one whose lineage is shown; undefined follows the champion. */
  pickA: number | undefined
  pickB: number | undefined
  pickLineage: number | undefined
}

export const state: State = {
  health: undefined,
  agents: [],
  models: [],
  model: undefined,
  versions: [],
  rounds: [],
  events: [],
  forecasts: undefined,
  meter: undefined,
  pickA: undefined,
  pickB: undefined,
  pickLineage: undefined,
}

/** The feed shows this many; the rest is in `imlma` and the API. */
export const eventsShownMax = 200

export const currentModel = (): ModelView | undefined =>
  state.models.find(({ model }) => model === state.model)

/** The two versions to compare: as picked, otherwise the champion against the one before it. */
export const currentPair = (): readonly [number, number] | undefined => {
  const champion = state.versions.findLast((version) => version.champion) ?? state.versions.at(-1)
  const b = state.pickB ?? champion?.version
  const before = state.versions.find(({ version }) => version === b)?.parent
  const a = state.pickA ?? before ?? state.versions.find(({ version }) => version !== b)?.version
  return a === undefined || b === undefined ? undefined : [a, b]
}

export const currentLineage = (): number | undefined =>
  state.pickLineage ??
  (state.versions.findLast((version) => version.champion) ?? state.versions.at(-1))?.version
