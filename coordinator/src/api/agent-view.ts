/** An agent as people see it, out of what the fleet remembers of it. */

import type { Alarm, ReportedModel, ReportedShadow } from '@imlma/protocol/wire'
import type { AgentRecord } from '../fleet/fleet.ts'
import { toLiveOfWindow } from './live-view.ts'
import type { AgentView } from './views.ts'

/** Alarms shown per agent; the rest is in `alerts`. */
const alarmsMax = 10

/** `alarms` may hold those of other agents too, in any order. */
export const toAgentView = (
  record: AgentRecord,
  alarms: readonly (Alarm & { readonly agent: string })[],
): AgentView => ({
  site: record.site,
  agent: record.agent,
  presence: record.presence?.state ?? 'unknown',
  agentVersion: record.presence?.agentVersion ?? record.reported?.agentVersion ?? null,
  heardAt: record.heardAt,
  rootVersion: record.reported?.rootVersion ?? null,
  backlog: record.reported?.backlog ?? null,
  models: Object.entries(record.reported?.models ?? {}).map(([model, reported]) =>
    toServedModel(record, model, reported),
  ),
  alarms: alarms
    .filter(({ agent }) => agent === record.agent)
    .toSorted((a, b) => b.at - a.at)
    .slice(0, alarmsMax)
    .map(({ id, model, version, kind, level, value, limit, evidence, at, agent }) => ({
      id,
      model,
      version,
      kind,
      level,
      value,
      limit,
      evidence,
      at,
      agent,
    })),
  process: record.process,
})

const toServedModel = (
  { windows }: AgentRecord,
  model: string,
  reported: ReportedModel,
): AgentView['models'][number] => {
  const { active, outcome } = reported
  const window = active === null ? undefined : windows[`${model}@${active.version}`]
  return {
    model,
    phase: reported.phase,
    version: active?.version ?? null,
    sha256: active?.sha256 ?? null,
    previous: reported.previous?.version ?? null,
    challenger: reported.challenger?.version ?? null,
    pinned: reported.pinned,
    quarantined: reported.quarantined.length,
    outcome:
      outcome === null
        ? null
        : {
            version: outcome.version,
            state: outcome.state,
            reason: outcome.reason,
            detail: outcome.detail,
            at: outcome.at,
          },
    shadow: reported.shadow ? toShadow(reported.shadow) : null,
    live: window === undefined ? null : toLiveOfWindow(window),
  }
}

const toShadow = ({ version, state, reason, detail }: ReportedShadow) => ({ version, state, reason, detail })
