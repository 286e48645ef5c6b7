import { describe, expect, test } from 'vitest'
import type { RegistryEvent } from '../registry/events.ts'
import { applyEvent, effectOf, waiting, type Run } from './run.ts'

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
  ...(['promote', 'reject', 'inconclusive'] as const).map((verdict): RegistryEvent => ({
    kind: 'version-decided',
    model: 'm',
    run,
    version,
    decision: {
      verdict,
      reasons: [],
      checks: [],
      window,
      rows: 1,
      champion: { ...metrics, version: null, learner: 'seasonal-naive' },
      challenger: metrics,
    },
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
      new Set(['waiting', 'freezing', 'training', 'gating', 'signing', 'assigning', 'deploying', 'closing']),
    )
  })

  test('signs only what the gate promoted', () => {
    const verdicts = edges
      .filter(({ after }) => ['signing', 'assigning', 'deploying'].includes(after.phase))
      .map(({ after }) => 'decision' in after && after.decision.verdict)
    expect(new Set(verdicts)).toEqual(new Set(['promote']))
  })

  test('takes one step forward at a time', () => {
    const order = ['waiting', 'freezing', 'training', 'gating', 'signing', 'assigning', 'deploying']
    const forward = edges.filter(
      ({ before, after }) => !['waiting', 'closing', before.phase].includes(after.phase),
    )
    const jumps = forward.filter(
      ({ before, after }) => order.indexOf(after.phase) !== order.indexOf(before.phase) + 1,
    )
    expect(jumps).toEqual([])
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
    const repeated = edges.filter(
      ({ event, after }) => event.kind !== 'retraining-triggered' && after.phase !== 'waiting',
    )
    expect(repeated.filter(({ event, after }) => applyEvent(after, event) !== after)).toEqual([])
  })
})
