/**
 * A site with three agents, one model and six versions of it, as the registry would tell it: promotions, a rejection, a
 * draw, a refused rollout and a technician's rollback. Tests and the page's development read it.
 */

import type { ChainedEvent, RegistryEvent } from '../../registry/events.ts'
import { chapters, storyAgents, storyModel, type Chapter } from './chapters.ts'
import { fakeSha256 } from './random.ts'

const minute = 60_000
const gateRows = 40_320

/** Everything that happened until `now`, oldest first. */
export const tellStory = (now: number): readonly ChainedEvent[] => {
  const told: { at: number; event: RegistryEvent }[] = []
  for (const chapter of chapters) {
    const startedAt = now - (chapters.length - chapter.version) * 14 * minute - 3 * minute
    told.push(...tellChapter(chapter, startedAt))
  }
  told.push(...tellEpilogue(now))
  return told
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, event }, index) => ({
      seq: index + 1,
      at,
      event,
      previousHash: index === 0 ? '0'.repeat(64) : fakeSha256(`event ${index}`),
      hash: fakeSha256(`event ${index + 1}`),
    }))
}

const toMetrics = ([mse, mae, r2]: Chapter['champions']) => ({ mse, mae, r2 })

const tellChapter = (chapter: Chapter, startedAt: number): { at: number; event: RegistryEvent }[] => {
  const { version, verdict, champion, trigger, readings } = chapter
  const model = storyModel
  const run = `run-${version}`
  const release = chapters.filter((other) => other.verdict === 'promote' && other.version <= version).length
  const window = { start: startedAt - 14 * 86_400_000, end: startedAt }
  const evaluation = { start: startedAt - 7 * 86_400_000, end: startedAt }
  const events: { at: number; event: RegistryEvent }[] = []
  const tell = (afterMs: number, event: RegistryEvent) => events.push({ at: startedAt + afterMs, event })
  const evidence: Record<string, string | number> =
    trigger === 'manual'
      ? { reason: 'after meter replacement in feeder 3 (local operator)' }
      : trigger === 'interval'
        ? { newReadings: 23_520, intervalS: 900 }
        : { newReadings: 40_320, threshold: 40_000 }

  tell(0, { kind: 'retraining-triggered', model, run, trigger: { kind: trigger, evidence, at: startedAt } })
  tell(400, {
    kind: 'dataset-frozen',
    model,
    run,
    dataset: {
      sha256: fakeSha256(`dataset ${version}`),
      bytes: readings * 5,
      series: 60,
      readings,
      window,
      trainEnd: evaluation.start,
      evaluation,
      provenance: storyAgents.map((agent) => ({ agent, firstSeq: 1, lastSeq: version * 480 })),
    },
  })
  tell(4_200, {
    kind: 'version-trained',
    model,
    run,
    version,
    parent: chapter.parent,
    learner: 'ridge',
    parameters: { lambda: chapter.lambda, contextLength: 672, calendar: 'daily+weekly' },
    seed: 7,
    codeVersion: '0.1.0',
    study: null,
    datasetSha256: fakeSha256(`dataset ${version}`),
    rows: Math.round(readings * 0.7),
    artifact: { sha256: fakeSha256(`artifact ${version}`), bytes: 268_112 + version * 16 },
    candidateSha256: fakeSha256(`candidate ${version}`),
    seconds: 2.6 + version * 0.21,
  })
  tell(5_300, {
    kind: 'version-decided',
    model,
    run,
    version,
    decision: {
      verdict,
      reasons: [reasonOf(verdict)],
      checks: [
        toCheck('MSE', chapter.champions[0], chapter.challengers[0], 'lower'),
        toCheck('MAE', chapter.champions[1], chapter.challengers[1], 'lower'),
        toCheck('R²', chapter.champions[2], chapter.challengers[2], 'higher'),
      ],
      window: evaluation,
      rows: gateRows,
      champion: {
        ...toMetrics(chapter.champions),
        version: champion,
        learner: champion === null ? 'seasonal-naive' : 'ridge',
      },
      challenger: toMetrics(chapter.challengers),
    },
  })
  if (verdict === 'promote') {
    tell(5_400, {
      kind: 'version-signed',
      model,
      version,
      release,
      keyid: fakeSha256('release key'),
      envelopeSha256: fakeSha256(`envelope ${version}`),
    })
    tell(5_500, { kind: 'version-assigned', model, version, agents: [...storyAgents] })
    for (const [index, agent] of storyAgents.entries()) {
      tell(6_100 + index * 130, {
        kind: 'version-deployed',
        model,
        version,
        agent,
        state: version === 4 && agent === 'gw-3' ? 'refused' : 'committed',
        reason: version === 4 && agent === 'gw-3' ? 'DIGEST_MISMATCH' : null,
        detail: version === 4 && agent === 'gw-3' ? 'the artifact does not have the signed SHA-256' : '',
        durationsMs: { fetch: 210, verify: 34, swap: 61 },
      })
    }
  }
  tell(6_900, {
    kind: 'run-completed',
    model,
    run,
    version,
    delayMs: {
      detect: 180,
      queue: 20,
      train: 3_900,
      gate: 1_100,
      sign: verdict === 'promote' ? 4 : null,
      publish: verdict === 'promote' ? 12 : null,
      fetch: verdict === 'promote' ? 240 : null,
      verify: verdict === 'promote' ? 34 : null,
      swap: verdict === 'promote' ? 61 : null,
      total: 6_900,
    },
  })
  return events
}

const reasonOf = (verdict: Chapter['verdict']): string =>
  ({
    promote: 'MSE, MAE and R² are all strictly better',
    reject: 'MSE is not better',
    inconclusive: 'the difference is smaller than what this window can show',
  })[verdict]

const toCheck = (name: string, champion: number, challenger: number, better: 'lower' | 'higher') => ({
  name,
  passed: better === 'lower' ? challenger < champion : challenger > champion,
  champion,
  challenger,
  detail: `challenger ${challenger} against champion ${champion}, ${better} is better`,
})

const tellEpilogue = (now: number): { at: number; event: RegistryEvent }[] => [
  {
    at: now - 40 * minute,
    event: {
      kind: 'alert-raised',
      id: 'alert-1',
      source: 'deployment',
      agent: 'gw-3',
      model: storyModel,
      version: 4,
      alert: 'the artifact does not have the signed SHA-256',
      level: 'act',
      evidence: { code: 'DIGEST_MISMATCH', keptVersion: 2 },
    },
  },
  {
    at: now - 2 * minute,
    event: { kind: 'root-accepted', version: 2, envelopeSha256: fakeSha256('root 2') },
  },
  {
    at: now - 95_000,
    event: {
      kind: 'command-seen',
      agent: 'gw-3',
      model: storyModel,
      commandId: 'cmd-1',
      operation: 'rollback',
      state: 'succeeded',
      code: null,
      detail: 'version 4 serves',
    },
  },
  {
    at: now - 95_000,
    event: { kind: 'pin-changed', agent: 'gw-3', model: storyModel, pinned: true, version: 4 },
  },
]
