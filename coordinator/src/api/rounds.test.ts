import { describe, expect, test } from 'vitest'
import type { ChainedEvent, RegistryEvent } from '../registry/events.ts'
import { toRollouts } from './rollouts.ts'
import { toRounds } from './rounds.ts'
import { figure, grouped, tellQuality, toAuditEvent } from './sentences.ts'
import { tellStory } from './testing/story.ts'

const story = tellStory(1_700_000_000_000)
const hash = '0'.repeat(64)
const chain = (...events: RegistryEvent[]): ChainedEvent[] =>
  events.map((event, index) => ({ seq: index + 1, at: index, event, previousHash: hash, hash }))
const trigger = { kind: 'volume', evidence: { readingsSince: 1_234, threshold: 1_000 }, at: 5 } as const
const triggered = (run: string): RegistryEvent => ({ kind: 'retraining-triggered', model: 'm', run, trigger })
const assigned = (version: number, agents: string[]): RegistryEvent => ({
  kind: 'version-assigned',
  model: 'm',
  version,
  agents,
})
const deployed = (
  version: number,
  agent: string,
  state: 'committed' | 'refused' | 'rolled-back',
): RegistryEvent => ({
  kind: 'version-deployed',
  model: 'm',
  version,
  agent,
  state,
  reason: state === 'committed' ? null : 'LATENCY',
  detail: '',
  durationsMs: {},
})

describe('rounds', () => {
  test('do not depend on the order in which the events are handed over', () => {
    expect(toRounds(story.toReversed())).toEqual(toRounds(story))
    expect(toRounds(story)).toHaveLength(6)
  })

  test('say where a run stands: running, decided, failed', () => {
    const [failed, running] = toRounds(
      chain(triggered('a'), triggered('b'), {
        kind: 'run-failed',
        model: 'm',
        run: 'b',
        code: 'TOO_FEW',
        message: 'x',
        hint: 'y',
      }),
    )
    expect(running).toMatchObject({ run: 'a', state: 'running', verdict: null, failure: null })
    expect(failed).toMatchObject({ run: 'b', state: 'failed', failure: { code: 'TOO_FEW', hint: 'y' } })
    const decided = toRounds(story.filter(({ event }) => event.kind !== 'run-completed'))
    expect(decided.map(({ state }) => state)).toEqual(Array.from({ length: 6 }, () => 'decided'))
  })

  test('leave a run out whose trigger is not among the events', () => {
    expect(toRounds(story.filter(({ event }) => event.kind !== 'retraining-triggered'))).toEqual([])
  })
})

describe('rollouts', () => {
  test.each([
    ['moving', [assigned(1, ['a', 'b']), deployed(1, 'a', 'committed')]],
    ['complete', [assigned(1, ['a']), deployed(1, 'a', 'committed')]],
    ['incomplete', [assigned(1, ['a', 'b']), deployed(1, 'a', 'committed'), deployed(1, 'b', 'refused')]],
    ['superseded', [assigned(1, ['a']), assigned(2, ['a']), deployed(2, 'a', 'committed')]],
  ] as const)('are %s', (state, events) => {
    expect(toRollouts(chain(...events)).at(-1)?.state).toBe(state)
  })

  test('keep the last outcome of an agent, and agents that join later', () => {
    const [rollout] = toRollouts(
      chain(
        assigned(1, ['b']),
        deployed(1, 'b', 'committed'),
        assigned(1, ['a', 'b']),
        deployed(1, 'b', 'rolled-back'),
      ),
    )
    expect(rollout).toMatchObject({ assignedAt: 0 })
    expect(rollout?.agents.map(({ agent, state }) => `${agent} ${state}`)).toEqual([
      'a assigned',
      'b rolled-back',
    ])
  })
})

describe('sentences', () => {
  const tell = (event: RegistryEvent) => {
    const { tone, sentence } = toAuditEvent(chain(event)[0] as ChainedEvent)
    return `${tone} | ${sentence}`
  }

  test.each<[RegistryEvent, string]>([
    [triggered('a'), 'note | Training of m starts: 1,234 new readings, 1,000 are enough.'],
    [deployed(2, 'gw-1', 'refused'), 'act | gw-1 refused m version 2 (LATENCY) and keeps what it serves.'],
    [deployed(2, 'gw-1', 'rolled-back'), 'act | gw-1 went back from m version 2 (LATENCY).'],
    [deployed(2, 'gw-1', 'committed'), 'good | gw-1 serves m version 2.'],
    [
      {
        kind: 'run-failed',
        model: 'm',
        run: 'a',
        code: 'DATASET_CHANGED',
        message: 'hash differs',
        hint: '',
      },
      'act | Training of m failed (DATASET_CHANGED): hash differs.',
    ],
    [
      {
        kind: 'command-seen',
        agent: 'gw-1',
        model: 'm',
        commandId: 'c',
        operation: 'rollback',
        state: 'refused',
        code: 'UNKNOWN_KEY',
        detail: '',
      },
      "act | A technician's rollback of m at gw-1: refused, UNKNOWN_KEY.",
    ],
    [assigned(3, ['a', 'b', 'c', 'd', 'e', 'f']), 'note | m version 3 is sent to 6 agents.'],
  ])('%o', (event, expected) => {
    expect(tell(event)).toBe(expected)
  })

  test('what the quality checks kept out of a dataset is told, most first', () => {
    const counts = { expected: 1_000, trainable: 900, notTrainable: 20, flagged: { gap: 30, frozen: 50 } }
    const series = ['m-1', 'm-2', 'm-3'].map((meter) => ({ ...counts, meter, register: 'r', leftOut: false }))
    expect(tellQuality({ ...counts, series, seriesFlagged: 7 })).toEqual([
      '100 of 1,000 kept out (50 frozen, 30 gap, 20 not trainable), most of m-1, m-2, m-3 and 4 more',
    ])
    expect(tellQuality({ ...counts, trainable: 1_000, flagged: {}, series: [], seriesFlagged: 0 })).toEqual(
      [],
    )
    expect(tellQuality(undefined)).toEqual([])
  })

  test('numbers are said as people read them', () => {
    expect([0, 0.0388, 0.00001234, 99.95, 1_234_567, -1_500.4, null, Number.NaN].map(figure)).toEqual([
      '0',
      '0.0388',
      '1.23e-5',
      '100',
      '1,234,567',
      '-1,500',
      '–',
      '–',
    ])
    expect([1_234.5, 12, 1_000_000].map(grouped)).toEqual(['1,234.5', '12', '1,000,000'])
  })
})
