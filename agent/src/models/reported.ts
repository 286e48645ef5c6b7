/** What `reported` says about the models, from the machine's states. */

import type { ReportedModel } from '@imlma/protocol/wire'
import { shadowOf, type AgentState } from './agent-state.ts'
import { previousOf, servingOf, type Deployment } from './deployment-state.ts'
import { toReportedShadow, type Shadow } from './shadow/shadow-state.ts'

export const toReportedModels = (state: AgentState): Record<string, ReportedModel> =>
  Object.fromEntries(
    Object.entries(state.models).map(([name, model]) => [
      name,
      toReportedModel(model, shadowOf(state, name)),
    ]),
  )

const toReportedModel = (state: Deployment, shadow: Shadow): ReportedModel => ({
  phase: state.phase,
  active: servingOf(state),
  previous: previousOf(state),
  challenger: state.phase === 'idle' ? null : state.attempt.challenger,
  pinned: state.pinned,
  releaseMax: state.releaseMax,
  quarantined: state.quarantined,
  outcome: state.outcome,
  shadow: toReportedShadow(shadow),
})

/** The version that serves, per model; null where none does. */
export const servingVersions = ({ models }: AgentState): Record<string, number | null> =>
  Object.fromEntries(Object.entries(models).map(([name, state]) => [name, servingOf(state)?.version ?? null]))
