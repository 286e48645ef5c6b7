/** A version as its rows tell it: the version itself, the run that made it, its time in shadow, where it was deployed. */

import type { DeploymentsTable, RunsTable, ShadowsTable, VersionsTable } from '../storage/tables.ts'
import type { Deployment, Shadow, VersionRecord } from './registry.ts'

/** JSON columns were validated when their event was appended. */
export const toVersionRecord = (
  version: VersionsTable,
  run: RunsTable,
  shadow: ShadowsTable | undefined,
  deployments: readonly DeploymentsTable[],
): VersionRecord => ({
  model: version.model,
  version: version.version,
  run: version.run,
  parent: version.parent,
  createdAt: version.createdAt,
  trigger: JSON.parse(run.triggerRecord) as VersionRecord['trigger'],
  dataset: JSON.parse(run.dataset ?? 'null') as VersionRecord['dataset'],
  learner: version.learner,
  parameters: JSON.parse(version.parameters) as VersionRecord['parameters'],
  seed: version.seed,
  codeVersion: version.codeVersion,
  study: version.study,
  rows: version.rows,
  trainSeconds: version.trainSeconds,
  artifact: { sha256: version.artifactSha256, bytes: version.artifactBytes },
  decision: JSON.parse(version.decision ?? 'null') as VersionRecord['decision'],
  release: version.release,
  keyid: version.keyid,
  envelopeSha256: version.envelopeSha256,
  state: toState(version.verdict),
  shadow: shadow === undefined ? null : toShadow(shadow),
  deployments: deployments.map(toDeployment),
  delayMs: JSON.parse(run.delayMs ?? 'null') as VersionRecord['delayMs'],
})

const toState = (verdict: string | null): VersionRecord['state'] => {
  switch (verdict) {
    case 'promote':
      return 'promoted'
    case 'reject':
      return 'rejected'
    case 'inconclusive':
      return 'inconclusive'
    default:
      return 'trained'
  }
}

const toShadow = (row: ShadowsTable): Shadow => {
  const { champion, release, keyid, envelopeSha256, startedAt, endedAt: at, reason, evidence } = row
  const ended =
    at === null
      ? null
      : ({ at, reason, evidence: JSON.parse(evidence ?? '{}') as unknown } as NonNullable<Shadow['ended']>)
  return { champion, release, keyid, envelopeSha256, startedAt, ended }
}

const toDeployment = ({ agent, state, reason, detail, at }: DeploymentsTable): Deployment => ({
  agent,
  state: state as Deployment['state'],
  reason,
  detail,
  at,
})
