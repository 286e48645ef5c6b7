import { describe, expect, test } from 'vitest'
import type { ChainedEvent, RegistryEvent } from '../registry/events.ts'
import type { Shadow } from '../registry/registry.ts'
import { decidedRun } from '../registry/testing/facts.ts'
import { toComparison } from './comparison.ts'
import { toLineage } from './lineage.ts'
import { toRounds } from './rounds.ts'
import { toAuditEvent } from './sentences.ts'
import { tellState } from './shadow-sentences.ts'
import { toVersionRecords } from './testing/version-records.ts'
import { toVersionView } from './version-view.ts'

const chained = (events: readonly RegistryEvent[]): readonly ChainedEvent[] =>
  events.map((event, index) => ({ seq: index + 1, at: index, event, previousHash: '', hash: '' }))

const about = { model: 'load', run: 'run-2', version: 2 }
const started: RegistryEvent = {
  kind: 'shadow-started',
  ...about,
  champion: 1,
  release: 2,
  keyid: 'e'.repeat(64),
  envelopeSha256: 'b'.repeat(64),
}
const evidence = { champion: 1, days: 23, pairs: 2_208, evidence: 41.7, worse: 0.02, needed: 40 }
const ended = (reason: 'promoted' | 'rejected' | 'expired' | 'superseded'): RegistryEvent => {
  return { kind: 'shadow-ended', ...about, reason, evidence }
}
const completed: RegistryEvent = {
  kind: 'run-completed',
  ...about,
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
}
const undecided = [...decidedRun('load', 2, 'inconclusive'), started, completed]
const decidedAgain = (verdict: 'promote' | 'reject') => decidedRun('load', 2, verdict).at(-1)!

describe('a shadow in words', () => {
  test.each([
    [started, /goes into shadow beside version 1, signed for that alone as release 2/],
    [
      ended('promoted'),
      /proved better in shadow: evidence 41\.7 of 40 needed, after 23 days and 2,208 pairs/,
    ],
    [ended('rejected'), /proved worse in shadow: evidence 0\.02 of 40 needed/],
    [ended('expired'), /leaves the shadow without a proof, after 23 days/],
    [ended('superseded'), /version 1, which it was compared with, is champion no more/],
  ])('%j', (event, expected) => {
    expect(toAuditEvent(chained([event])[0]!).sentence).toMatch(expected)
  })

  test.each([
    [null, 'inconclusive', 'inconclusive'],
    [{ ended: null }, 'inconclusive', 'in shadow'],
    [{ ended: { reason: 'promoted' } }, 'promoted', 'promoted after shadow'],
    [{ ended: { reason: 'rejected' } }, 'rejected', 'rejected after shadow'],
    [{ ended: { reason: 'expired' } }, 'rejected', 'rejected after shadow'],
    [{ ended: { reason: 'superseded' } }, 'inconclusive', 'inconclusive'],
  ])('%j of a version that is %s: %s', (shadow, state, expected) => {
    expect(tellState({ state, shadow })).toBe(expected)
  })
})

describe('the round of a version in shadow', () => {
  const roundOf = (events: readonly RegistryEvent[]) => toRounds(chained(events))[0]

  test('is complete while it lasts', () => {
    expect(roundOf(undecided)).toMatchObject({ state: 'completed', verdict: 'inconclusive' })
  })

  test('stays complete when it is rejected', () => {
    const events = [...undecided, ended('rejected'), decidedAgain('reject')]
    expect(roundOf(events)).toMatchObject({ state: 'completed', verdict: 'reject' })
  })

  test('is on its way again when it is promoted, until every agent has it', () => {
    const events = [...undecided, ended('promoted'), decidedAgain('promote')]
    expect(roundOf(events)).toMatchObject({ state: 'decided', verdict: 'promote' })
    expect(roundOf([...events, completed])).toMatchObject({ state: 'completed', verdict: 'promote' })
  })
})

describe('the lineage of a version', () => {
  const viewOf = (verdict: 'inconclusive' | 'promote', shadow: Shadow | null) => {
    const [record] = toVersionRecords(chained(decidedRun('load', 2, verdict)))
    return toVersionView({ ...record!, shadow }, { champion: 1, agents: [], performance: [] })
  }
  const lasting = { champion: 1, release: 2, keyid: '', envelopeSha256: '', startedAt: 4, ended: null }
  const over = { ...lasting, ended: { at: 9, reason: 'promoted' as const, evidence } }

  test('names its time in shadow before what was decided after it', () => {
    const steps = toLineage([viewOf('promote', over)], 2)?.steps.map(({ title }) => title)
    expect(steps?.slice(-2)).toEqual([
      'gate: inconclusive, in shadow beside version 1',
      'after the shadow: promote',
    ])
    const now = toLineage([viewOf('inconclusive', lasting)], 2)?.steps
    expect(now?.at(-1)?.title).toBe('gate: inconclusive')
    expect(now?.at(-2)?.detail).toContain('release 2, lasting')
  })

  test('differs in a comparison', () => {
    const traits = toComparison(viewOf('inconclusive', null), viewOf('promote', over)).traits
    expect(traits.find(({ name }) => name === 'shadow')).toEqual({
      name: 'shadow',
      a: 'never',
      b: 'beside version 1, promoted',
      differs: true,
    })
  })
})
