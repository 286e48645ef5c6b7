/** A version as people see it: what the registry knows, beside what the fleet says about it now. */

import type { AgentRecord, LivePerformance } from '../fleet/fleet.ts'
import type { VersionRecord } from '../registry/registry.ts'
import { toLiveOfFleet } from './live-view.ts'
import type { VersionView } from './views.ts'

interface Surroundings {
  /** The latest promoted version of the model; undefined before the first. */
  readonly champion: number | undefined
  readonly agents: readonly AgentRecord[]
  readonly performance: readonly LivePerformance[]
}

export const toVersionView = (
  record: VersionRecord,
  { champion, agents, performance }: Surroundings,
): VersionView => {
  const live = performance.find(({ model, version }) => model === record.model && version === record.version)
  const { decision } = record
  return {
    model: record.model,
    version: record.version,
    run: record.run,
    parent: record.parent,
    createdAt: record.createdAt,
    state: record.state,
    champion: record.version === champion,
    shadow: record.shadow,
    trigger: record.trigger,
    dataset: record.dataset,
    learner: record.learner,
    parameters: { ...record.parameters },
    seed: record.seed,
    codeVersion: record.codeVersion,
    study: record.study,
    rows: record.rows,
    trainSeconds: record.trainSeconds,
    artifact: record.artifact,
    figures: decision === null ? null : { ...decision.challenger, rows: decision.rows },
    decision,
    release: record.release,
    keyid: record.keyid,
    envelopeSha256: record.envelopeSha256,
    deployments: [...record.deployments],
    servedBy: agents
      .filter(({ reported }) => reported?.models[record.model]?.active?.version === record.version)
      .map(({ agent }) => agent),
    live: live === undefined ? null : toLiveOfFleet(live),
    delayMs: record.delayMs,
  }
}
