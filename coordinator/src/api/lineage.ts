/** Where a version comes from: its ancestors, and every step that made it, each with the hash that proves it. */

import { externalLearner } from '../training/job.ts'
import { tellProvenance } from './registration-sentences.ts'
import { figure, grouped, tellQuality, tellTrigger } from './sentences.ts'
import type { LineageView, VersionView } from './views.ts'

type Step = LineageView['steps'][number]

/** Undefined where the model has no such version. */
export const toLineage = (versions: readonly VersionView[], version: number): LineageView | undefined => {
  const byNumber = new Map(versions.map((candidate) => [candidate.version, candidate]))
  const subject = byNumber.get(version)
  if (subject === undefined) return undefined
  return {
    model: subject.model,
    version,
    ancestors: ancestorsOf(subject, byNumber).map(
      ({ version: number, state, createdAt, learner, figures }) => ({
        version: number,
        state,
        createdAt,
        learner,
        figures,
      }),
    ),
    children: versions.filter(({ parent }) => parent === version).map(({ version: number }) => number),
    steps: stepsOf(subject),
    checks: subject.decision?.checks ?? [],
  }
}

/** Chains of so many agents are told in full; the record has all. */
const chainsToldMax = 3

/** That the readings came in signed batches, and the heads that prove which; nothing in an open site. */
const tellSigned = (provenance: VersionView['dataset']['provenance']): readonly string[] => {
  const chains = provenance.flatMap(({ agent, signed }) =>
    signed === undefined ? [] : [{ agent, ...signed }],
  )
  if (chains.length === 0) return []
  const batches = chains.reduce((sum, chain) => sum + chain.batches, 0)
  const told = chains
    .slice(0, chainsToldMax)
    .map(
      ({ agent, firstSeq, lastSeq, keyids, head }) =>
        `${agent} ${firstSeq}–${lastSeq} by ${keyids.map((keyid) => keyid.slice(0, 12)).join(', ')}, head ${head.slice(0, 12)}`,
    )
  const more = chains.length > chainsToldMax ? [`${grouped(chains.length - chainsToldMax)} more agents`] : []
  return [`among ${grouped(batches)} signed batches (${[...told, ...more].join('; ')})`]
}

const ancestorsOf = (
  subject: VersionView,
  byNumber: ReadonlyMap<number, VersionView>,
): readonly VersionView[] => {
  const line = [subject]
  for (let parent = subject.parent; parent !== null;) {
    const ancestor = byNumber.get(parent)
    // A parent is always older than its child: a circle cannot be followed for ever.
    if (ancestor === undefined || ancestor.version >= (line.at(-1) as VersionView).version) break
    line.push(ancestor)
    parent = ancestor.parent
  }
  return line
}

const stepsOf = (version: VersionView): Step[] => {
  const { trigger, dataset, decision } = version
  const steps: Step[] = [
    {
      step: 'trigger',
      at: trigger.at,
      title: `${trigger.kind} trigger`,
      detail: tellTrigger(trigger),
      sha256: null,
    },
    {
      step: 'dataset',
      at: null,
      title: 'dataset frozen',
      detail: [
        `${grouped(dataset.readings)} readings of ${grouped(dataset.series)} series, from ${dataset.provenance.map(({ agent }) => agent).join(', ') || 'no agent'}`,
        ...tellSigned(dataset.provenance),
        ...tellQuality(dataset.quality),
      ].join('; '),
      sha256: dataset.sha256,
    },
    {
      step: 'training',
      at: version.createdAt,
      ...(version.learner === externalLearner
        ? {
            title: tellProvenance(version),
            detail: `examined on ${grouped(version.rows)} examples, ${figure(version.trainSeconds)} s, code ${version.codeVersion}`,
          }
        : {
            title: `trained by ${version.learner}`,
            detail: `${grouped(version.rows)} examples, ${figure(version.trainSeconds)} s, seed ${version.seed}, code ${version.codeVersion}${version.study === null ? '' : `, best trial of study ${version.study.slice(0, 12)}`}`,
          }),
      sha256: version.artifact.sha256,
    },
  ]
  const { shadow } = version
  if (shadow !== null) steps.push(toShadowStep(shadow))
  if (decision !== null) {
    const { champion, challenger, rows } = decision
    steps.push({
      step: 'decision',
      at: null,
      title: `${isOfShadow(shadow) ? 'after the shadow' : 'gate'}: ${decision.verdict}`,
      detail: `MSE ${figure(challenger.mse)} against ${figure(champion.mse)} of ${champion.version === null ? champion.learner : `version ${champion.version}`} on ${grouped(rows)} rows`,
      sha256: null,
    })
  }
  if (version.release !== null) {
    steps.push({
      step: 'signature',
      at: null,
      title: `signed as release ${version.release}`,
      detail: `by key ${version.keyid?.slice(0, 12) ?? 'unknown'}`,
      sha256: version.envelopeSha256,
    })
  }
  return [...steps, ...version.deployments.map(toDeploymentStep)]
}

/** The gate left it undecided first; what the decision says now is the shadow's word. */
const isOfShadow = (shadow: VersionView['shadow']): boolean =>
  shadow !== null && shadow.ended !== null && shadow.ended.reason !== 'superseded'

const toShadowStep = ({ champion, release, startedAt, ended }: NonNullable<VersionView['shadow']>): Step => ({
  step: 'shadow',
  at: startedAt,
  title: `gate: inconclusive, in shadow beside version ${champion}`,
  detail: `signed for that alone as release ${release}, ${ended === null ? 'lasting' : `${ended.reason} after ${String(ended.evidence['days'] ?? 0)} days`}`,
  sha256: null,
})

const toDeploymentStep = ({
  agent,
  state,
  reason,
  detail,
  at,
}: VersionView['deployments'][number]): Step => ({
  step: 'deployment',
  at,
  title: `${agent}: ${state}`,
  detail: [reason, detail].filter((part) => part !== null && part !== '').join(': '),
  sha256: null,
})
