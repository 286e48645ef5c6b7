import { describe, expect, test } from 'vitest'
import { shadowEnds, type RegistryEvent } from '../registry/events.ts'
import { applyEvent, effectOf, opensRun, waiting, type Run } from './run.ts'

const sha = 'a'.repeat(64)
const window = { start: 0, end: 1 }
const dataset = {
  sha256: sha,
  bytes: 1,
  series: 1,
  readings: 1,
  window,
  trainEnd: 1,
  evaluation: window,
  provenance: [],
}
const metrics = { mse: 1, mae: 1, r2: 0 }

const eventsOf = (run: string, version: number): readonly RegistryEvent[] => [
  { kind: 'retraining-triggered', model: 'm', run, trigger: { kind: 'manual', evidence: {}, at: 1 } },
  { kind: 'dataset-frozen', model: 'm', run, dataset },
  {
    kind: 'version-trained',
    model: 'm',
    run,
    version,
    parent: null,
    learner: 'ridge',
    parameters: {},
    seed: 1,
    codeVersion: '0',
    study: null,
    datasetSha256: sha,
    rows: 1,
    artifact: { sha256: sha, bytes: 1 },
    candidateSha256: sha,
    seconds: 1,
  },
  ...(['promote', 'reject', 'inconclusive', 'shadow'] as const).map((outcome): RegistryEvent => ({
    kind: 'version-decided',
    model: 'm',
    run,
    version,
    decision: {
      verdict: outcome === 'shadow' ? 'inconclusive' : outcome,
      reasons: [],
      checks: [],
      window,
      rows: 1,
      champion: { ...metrics, version: null, learner: 'seasonal-naive' },
      challenger: metrics,
      ...(outcome === 'promote' ? {} : { shadow: { enters: outcome === 'shadow', detail: '' } }),
    },
  })),
  {
    kind: 'shadow-started',
    model: 'm',
    run,
    version,
    champion: 7,
    release: version,
    keyid: sha,
    envelopeSha256: sha,
  },
  ...shadowEnds.map((reason): RegistryEvent => ({
    kind: 'shadow-ended',
    model: 'm',
    run,
    version,
    reason,
    evidence: {},
  })),
  { kind: 'version-signed', model: 'm', version, release: version, keyid: sha, envelopeSha256: sha },
  { kind: 'version-assigned', model: 'm', version, agents: ['gw-1'] },
  { kind: 'run-failed', model: 'm', run, code: 'X', message: '', hint: '' },
  {
    kind: 'run-completed',
    model: 'm',
    run,
    version,
    delayMs: {
      detect: 0,
      queue: 0,
      train: 0,
      gate: 0,
      sign: null,
      publish: null,
      fetch: null,
      verify: null,
      swap: null,
      total: 0,
    },
  },
]

const own = eventsOf('r1', 1)
const foreign = eventsOf('r2', 2)

const explore = () => {
  const edges: { before: Run; event: RegistryEvent; after: Run }[] = []
  const seen = new Set([JSON.stringify(waiting)])
  const queue: Run[] = [waiting]
  for (const before of queue) {
    for (const event of [...own, ...foreign]) {
      const after = applyEvent(before, event)
      edges.push({ before, event, after })
      const key = JSON.stringify(after)
      if (!seen.has(key)) {
        seen.add(key)
        queue.push(after)
      }
    }
  }
  return edges
}

const runOf = (state: Run) => (state.phase === 'waiting' ? undefined : state.run)

describe('a retraining run', () => {
  const edges = explore()

  test('passes through every phase', () => {
    expect(new Set(edges.map(({ after }) => after.phase))).toEqual(
      new Set([
        'waiting',
        'freezing',
        'training',
        'gating',
        'signing',
        'shadowing',
        'confirming',
        'assigning',
        'deploying',
        'closing',
      ]),
    )
  })

  test('signs only what the gate promoted, and for the shadow only what it sends there', () => {
    const decisionsIn = (phase: Run['phase']) =>
      edges.flatMap(({ after }) => (after.phase === phase && 'decision' in after ? [after.decision] : []))
    expect(new Set(decisionsIn('signing').map(({ verdict }) => verdict))).toEqual(new Set(['promote']))
    expect(new Set(decisionsIn('shadowing').map(({ shadow }) => shadow?.enters))).toEqual(new Set([true]))
    expect(new Set(decisionsIn('shadowing').map(({ verdict }) => verdict))).toEqual(new Set(['inconclusive']))
  })

  test('takes one step forward at a time', () => {
    const steps = edges
      .filter(({ before, after }) => after.phase !== 'waiting' && after.phase !== before.phase)
      .map(({ before, event, after }) => `${before.phase} ${event.kind} ${after.phase}`)
    expect(new Set(steps)).toEqual(
      new Set([
        'waiting retraining-triggered freezing',
        'freezing dataset-frozen training',
        'training version-trained gating',
        'gating version-decided signing',
        'gating version-decided closing',
        'gating version-decided shadowing',
        'shadowing shadow-started closing',
        'signing version-signed assigning',
        'waiting shadow-ended confirming',
        'confirming version-signed assigning',
        'assigning version-assigned deploying',
      ]),
    )
  })

  test('is opened again by a proof in shadow alone', () => {
    const opening = edges.filter(({ before, after }) => before.phase === 'waiting' && after !== before)
    const ended = opening.flatMap(({ event }) => (event.kind === 'shadow-ended' ? [event.reason] : []))
    expect(new Set(ended)).toEqual(new Set(['promoted']))
  })

  test('is not moved by the facts of another run', () => {
    const moved = edges.filter(
      ({ before, event, after }) =>
        runOf(before) !== undefined && 'run' in event && event.run !== runOf(before) && after !== before,
    )
    expect(moved).toEqual([])
  })

  test('never starts a second time before the first one ended', () => {
    const underWay = edges.filter(
      ({ before, after }) => runOf(before) !== undefined && runOf(after) !== undefined,
    )
    expect(underWay.length).toBeGreaterThan(0)
    expect(underWay.filter(({ before, after }) => runOf(after) !== runOf(before))).toEqual([])
  })

  test('always has something to do until it waits again', () => {
    for (const { after } of edges) expect(effectOf(after) === undefined).toBe(after.phase === 'waiting')
  })

  test('does the same fact only once', () => {
    const repeated = edges.filter(({ event, after }) => !opensRun(event) && after.phase !== 'waiting')
    expect(repeated.filter(({ event, after }) => applyEvent(after, event) !== after)).toEqual([])
  })
})
