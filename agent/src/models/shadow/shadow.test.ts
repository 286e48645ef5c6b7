import { describe, expect, test } from 'vitest'
import type { DeploymentReason, InstalledVersion } from '@imlma/protocol/wire'
import { digestsLoaded, digestsNeeded, emptyAgentState } from '../agent-state.ts'
import { emptyDeployment } from '../deployment-state.ts'
import { resumeShadow, stepShadow } from './shadow.ts'
import {
  isPassing,
  loadedDigest,
  neededDigest,
  noShadow,
  shadowLimits,
  shadowSchema,
  toBeside,
  toReportedShadow,
  type Beside,
  type Shadow,
  type ShadowEffect,
  type ShadowEvent,
} from './shadow-state.ts'

const candidate = (version: number): InstalledVersion => ({
  version,
  release: version,
  sha256: `${version}`.repeat(64),
})
const alone: Beside = { serving: [candidate(1).sha256], quarantined: [], trying: false }
const candidates = [candidate(2), candidate(3)]
const sides: readonly Beside[] = [
  alone,
  { ...alone, serving: [candidate(2).sha256] },
  { ...alone, quarantined: [candidate(2).sha256] },
  { ...alone, trying: true },
]

/** What the shell was told to do and has not answered, which digest runs, and the machine's state. */
interface World {
  readonly shadow: Shadow
  readonly pending: readonly Extract<ShadowEffect, { kind: 'fetch' | 'verify' | 'warm' }>[]
  readonly runs: string | null
}
type Happening = ShadowEvent | { readonly kind: 'crash' }
interface Edge {
  readonly before: World
  readonly happening: Happening
  readonly beside: Beside
  readonly after: World
  readonly effects: readonly ShadowEffect[]
}

const endsOf = ({ kind, attempt }: World['pending'][number]): readonly ShadowEvent[] => {
  const failed = (...reasons: DeploymentReason[]): ShadowEvent[] =>
    reasons.map((reason) => ({ kind: 'failed', attempt, reason, detail: 'why' }))
  switch (kind) {
    case 'fetch':
      return [{ kind: 'fetched', attempt, durationMs: 0 }, ...failed('FETCH_FAILED', 'NO_SPACE', 'TOO_LARGE')]
    case 'verify':
      return [{ kind: 'verified', attempt, durationMs: 0 }, ...failed('BAD_DIGEST', 'DIGEST_MISMATCH')]
    case 'warm':
      return [{ kind: 'warmed', attempt, durationMs: 0 }, ...failed('GOLDEN_MISMATCH', 'LATENCY')]
  }
}

const happeningsOf = ({ shadow, pending }: World): readonly Happening[] => [
  ...candidates.flatMap((named): Happening[] => [
    { kind: 'told', candidate: named, onDisk: false },
    { kind: 'told', candidate: named, onDisk: true },
    { kind: 'declined', candidate: named, reason: 'BAD_SIGNATURE', detail: 'forged' },
  ]),
  { kind: 'dismissed' },
  { kind: 'looked' },
  { kind: 'connected' },
  { kind: 'stopped' },
  { kind: 'crash' },
  { kind: 'settled', attempt: shadow.attempt },
  { kind: 'settled', attempt: shadow.attempt - 1 },
  // Also answers of work that was given up.
  ...[shadow.attempt, shadow.attempt - 1].flatMap((attempt): Happening[] => [
    { kind: 'fetched', attempt, durationMs: 0 },
    { kind: 'failed', attempt: attempt - 1, reason: 'LATENCY', detail: '' },
  ]),
  ...pending.flatMap(endsOf),
]

const happen = (before: World, happening: Happening, beside: Beside): Edge => {
  const { shadow, effects } =
    happening.kind === 'crash'
      ? resumeShadow(before.shadow, beside)
      : stepShadow(before.shadow, happening, beside)
  let { pending, runs } = happening.kind === 'crash' ? { pending: [], runs: null } : before
  if ('attempt' in happening) {
    const answered = { fetched: 'fetch', verified: 'verify', warmed: 'warm', failed: '', settled: '' }[
      happening.kind
    ]
    pending = pending.filter(
      ({ kind, attempt }) =>
        attempt !== happening.attempt || (happening.kind !== 'failed' && kind !== answered),
    )
  }
  for (const effect of effects) {
    if (effect.kind === 'fetch' || effect.kind === 'verify' || effect.kind === 'warm') {
      pending = [...pending, effect]
    }
    if (effect.kind === 'abandon') pending = pending.filter(({ attempt }) => attempt !== effect.attempt)
    if (effect.kind === 'run') runs = effect.candidate.sha256
    if (effect.kind === 'rest') runs = null
  }
  return { before, happening, beside, after: { shadow, pending, runs }, effects }
}

/** Attempts are renumbered so that the world stays finite: the machine only compares them. */
const renumber = ({ shadow, pending, runs }: World): World => ({
  shadow: { ...shadow, attempt: 5 },
  pending: pending.map((work) => ({ ...work, attempt: 5 - (shadow.attempt - work.attempt) })),
  runs,
})

const explore = (visit: (edge: Edge) => void): number => {
  const start: World = { shadow: { ...noShadow, attempt: 5 }, pending: [], runs: null }
  const seen = new Set([JSON.stringify(start)])
  const queue = [start]
  for (let world = queue.pop(); world !== undefined; world = queue.pop()) {
    for (const beside of sides) {
      for (const happening of happeningsOf(world)) {
        const edge = happen(world, happening, beside)
        visit(edge)
        const next = renumber(edge.after)
        const key = JSON.stringify(next)
        if (seen.has(key)) continue
        seen.add(key)
        queue.push(next)
      }
    }
  }
  return seen.size
}

const kindsOf = (effects: readonly ShadowEffect[]) => effects.map(({ kind }) => kind)
const digestOf = (shadow: Shadow) => (shadow.state === 'none' ? undefined : shadow.candidate.sha256)

/** What must hold on every edge: true where it does. */
const invariants: Readonly<Record<string, (edge: Edge) => boolean>> = {
  'what runs is what the state says': ({ after: { shadow, runs } }) =>
    runs === (shadow.state === 'running' ? shadow.candidate.sha256 : null),

  'it begins to run only after it was warmed': ({ happening, effects }) =>
    !kindsOf(effects).includes('run') || happening.kind === 'warmed',

  'what runs is loaded, and its files are needed': ({ after: { shadow } }) =>
    shadow.state !== 'running' ||
    (loadedDigest(shadow) === shadow.candidate.sha256 && neededDigest(shadow) === shadow.candidate.sha256),

  'one piece of work is under way until it runs, and none otherwise': ({ after: { shadow, pending } }) =>
    pending.length === (['fetching', 'verifying', 'warming'].includes(shadow.state) ? 1 : 0),

  'nothing quarantined or serving begins': ({ beside, effects, happening }) =>
    ['fetched', 'verified', 'warmed', 'failed'].includes(happening.kind) ||
    effects.every(
      (effect) =>
        !('candidate' in effect) ||
        effect.kind === 'alarm' ||
        ![...beside.quarantined, ...beside.serving].includes(effect.candidate.sha256),
    ),

  'a look or a start ends what serves by now or is quarantined': ({ happening, beside, after }) => {
    if (!['looked', 'crash'].includes(happening.kind)) return true
    const barred = [...beside.quarantined, ...beside.serving].includes(digestOf(after.shadow) ?? '')
    return !barred || after.shadow.state === 'refused'
  },

  'only the director dismisses it': ({ before, happening, after }) =>
    after.shadow.state !== 'none' || before.shadow.state === 'none' || happening.kind === 'dismissed',

  'only the director names it': ({ before, happening, after }) =>
    digestOf(before.shadow) === digestOf(after.shadow) ||
    ['told', 'declined', 'dismissed'].includes(happening.kind),

  'a late answer changes nothing': ({ before, happening, after, effects }) =>
    !('attempt' in happening) ||
    happening.attempt === before.shadow.attempt ||
    (effects.length === 0 && JSON.stringify(after.shadow) === JSON.stringify(before.shadow)),

  'what was refused for good is not tried again before another is told': ({ before, happening, after }) =>
    before.shadow.state !== 'refused' ||
    isPassing(before.shadow) ||
    after.shadow.state === 'refused' ||
    happening.kind === 'dismissed' ||
    (happening.kind === 'told' && happening.candidate.sha256 !== before.shadow.candidate.sha256),

  'a fetch gives up after its rounds': ({ after: { shadow } }) =>
    shadow.state !== 'fetching' || shadow.fetchRounds < shadowLimits.fetchRoundsMax,

  'only crashes quarantine, and only the third': ({ before: { shadow: was }, happening, effects }) => {
    const quarantines = kindsOf(effects).includes('quarantine')
    const crashes = 'crashes' in was ? was.crashes : 0
    return !quarantines || (happening.kind === 'crash' && crashes === shadowLimits.crashesMax - 1)
  },

  'a start after an orderly stop, or beside a deployment’s own trial, counts nothing': (edge) => {
    const { before, happening, beside, after } = edge
    const was = before.shadow
    if (happening.kind !== 'crash' || !('crashes' in was) || !('crashes' in after.shadow)) return true
    const counted = !was.stopped && !beside.trying && ['warming', 'running'].includes(was.state)
    return after.shadow.crashes === was.crashes + (counted ? 1 : 0)
  },

  'what is not needed any more is discarded': ({ before, after, effects }) => {
    const [was, is] = [neededDigest(before.shadow), neededDigest(after.shadow)]
    const discarded = effects.flatMap((effect) => (effect.kind === 'discard' ? [effect.sha256] : []))
    return (was === undefined || was === is || discarded.includes(was)) && !discarded.includes(is ?? '-')
  },

  'every refusal is alarmed once, unless it serves': ({ before, after, effects }) => {
    const isNews = after.shadow.state === 'refused' && after.shadow !== before.shadow
    const alarms = kindsOf(effects).filter((kind) => kind === 'alarm').length
    if (!isNews || after.shadow.state !== 'refused' || after.shadow.reason === 'SUPERSEDED')
      return alarms === 0
    const same = before.shadow.state === 'refused' && before.shadow.reason === after.shadow.reason
    return alarms === 1 || (same && alarms === 0)
  },

  'the state is what may stand on disk': ({ after: { shadow } }) => shadowSchema.safeParse(shadow).success,
}

describe('a shadow', () => {
  test('holds in every state that can be reached, whatever happens', () => {
    const broken = new Map<string, string>()
    const states = new Set<string>()
    let edges = 0
    const worlds = explore((edge) => {
      edges += 1
      states.add(edge.after.shadow.state)
      for (const [name, holds] of Object.entries(invariants)) {
        if (!broken.has(name) && !holds(edge)) broken.set(name, JSON.stringify(edge, undefined, 1))
      }
    })
    expect(Object.fromEntries(broken)).toEqual({})
    expect([...states].toSorted()).toEqual(['fetching', 'none', 'refused', 'running', 'verifying', 'warming'])
    expect(worlds).toBeGreaterThan(50)
    expect(edges).toBeGreaterThan(4_000)
  })

  const told: ShadowEvent = { kind: 'told', candidate: candidate(2), onDisk: false }
  const walk = (...events: readonly ShadowEvent[]) =>
    events.reduce((shadow, event) => stepShadow(shadow, event, alone).shadow, noShadow)
  const running = walk(
    told,
    { kind: 'fetched', attempt: 1, durationMs: 1 },
    { kind: 'verified', attempt: 1, durationMs: 1 },
    { kind: 'warmed', attempt: 1, durationMs: 1 },
  )

  test('runs after it was fetched, verified and warmed within its budget', () => {
    expect(running).toMatchObject({ state: 'running', candidate: candidate(2) })
    const warm = stepShadow(
      walk(told, { kind: 'fetched', attempt: 1, durationMs: 1 }),
      { kind: 'verified', attempt: 1, durationMs: 1 },
      alone,
    )
    expect(warm.effects).toEqual([{ kind: 'warm', attempt: 1, candidate: candidate(2), timed: true }])
  })

  test('that stops the agent three times is quarantined, and is told so', () => {
    let shadow = running
    for (let crash = 1; crash < shadowLimits.crashesMax; crash += 1) {
      shadow = resumeShadow(shadow, alone).shadow
      expect(shadow).toMatchObject({ state: 'verifying', crashes: crash })
      shadow = { ...shadow, state: 'running' } as Shadow
    }
    const last = resumeShadow(shadow, alone)
    expect(last.shadow).toMatchObject({ state: 'refused', reason: 'CRASHED' })
    expect(last.effects).toContainEqual({ kind: 'quarantine', sha256: candidate(2).sha256 })
  })

  test('stays loaded and on disk beside what the deployment needs', () => {
    const state = { ...emptyAgentState, shadows: { load: running } }
    const { sha256 } = candidate(2)
    expect(digestsLoaded(state, 'load')).toEqual([sha256])
    expect(digestsLoaded(state, 'heat')).toEqual([])
    expect(
      digestsNeeded({ ...state, models: { load: { ...emptyDeployment, champion: candidate(1) } } }),
    ).toEqual([candidate(1).sha256, sha256])
  })

  test('that ran long enough since is cleared of its crashes', () => {
    const crashed = { ...resumeShadow(running, alone).shadow, state: 'running' } as Shadow
    expect(stepShadow(crashed, { kind: 'settled', attempt: crashed.attempt }, alone).shadow).toMatchObject({
      crashes: 0,
    })
  })

  test('is reported with its reason, and not at all where there is none', () => {
    expect(toReportedShadow(noShadow)).toBeNull()
    expect(toReportedShadow(running)).toEqual({
      ...candidate(2),
      state: 'running',
      reason: null,
      detail: '',
    })
    const refused = stepShadow(
      walk(told),
      { kind: 'failed', attempt: 1, reason: 'TOO_LARGE', detail: 'why' },
      alone,
    )
    expect(toReportedShadow(refused.shadow)).toMatchObject({
      state: 'refused',
      reason: 'TOO_LARGE',
      detail: 'why',
    })
  })

  test('knows of the deployment beside it what serves and what is being tried', () => {
    const attempt = {
      number: 1,
      challenger: candidate(4),
      origin: { kind: 'assignment' } as const,
      fetchRounds: 0,
      crashes: 0,
      stopped: false,
      durationsMs: {},
    }
    const probation = { ...emptyDeployment, champion: candidate(1), phase: 'probation', attempt } as const
    expect(toBeside(probation)).toMatchObject({
      serving: [candidate(1).sha256, candidate(4).sha256],
      trying: true,
    })
    expect(toBeside(emptyDeployment, probation)).toMatchObject({ serving: [], trying: true })
  })
})
