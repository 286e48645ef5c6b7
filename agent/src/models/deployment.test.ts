import { describe, expect, test } from 'vitest'
import type { DeploymentReason, InstalledVersion } from '@imlma/protocol/wire'
import { resume, step } from './deployment.ts'
import {
  deploymentLimits,
  deploymentSchema,
  emptyDeployment,
  neededDigests,
  servingOf,
  type Deployment,
  type DeploymentEvent,
  type Effect,
} from './deployment-state.ts'
import { explore, type Edge, type World } from './testing/deployment-world.ts'

const candidate = (version: number): InstalledVersion => ({
  version,
  release: version,
  sha256: `${version}`.repeat(64),
})
const attemptOf = (state: Deployment) => (state.phase === 'idle' ? undefined : state.attempt)
const outcomesOf = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.kind === 'report' ? [effect.outcome] : []))

/** What must hold on every edge: true where it does. */
const invariants: Readonly<Record<string, (edge: Edge) => boolean>> = {
  'what answers is what the state says': ({ after }) =>
    after.active === (servingOf(after.state)?.sha256 ?? null),

  'only what passed its golden vectors since the start is activated': ({ effects, after }) =>
    effects.every((effect) => effect.kind !== 'activate' || after.proven.includes(effect.candidate.sha256)),

  'nothing quarantined answers, is tried, waits or is a way back': ({ after: { state, active } }) =>
    [active, ...neededDigests(state)].every((digest) => !state.quarantined.includes(digest ?? '')),

  'the highest accepted release never falls, and covers the champion': ({ before, after }) =>
    after.state.releaseMax >= before.state.releaseMax &&
    (after.state.champion?.release ?? 0) <= after.state.releaseMax,

  'an older release is never fetched, but to repair what was committed': ({ effects, after }) =>
    effects.every(
      (effect) =>
        effect.kind !== 'fetch' ||
        effect.candidate.release >= after.state.releaseMax ||
        attemptOf(after.state)?.origin.kind === 'repair',
    ),

  'a late answer changes nothing': ({ before, late, after, effects }) =>
    !late || (JSON.stringify(after.state) === JSON.stringify(before.state) && effects.length === 0),

  'a failure ends at the champion, and the champion stays': ({ before, happening, late, after }) => {
    if (late || happening.kind !== 'failed') return true
    if (after.state.phase === 'fetching') return happening.reason === 'FETCH_FAILED'
    return after.state.phase === 'idle' && before.state.champion?.sha256 === after.state.champion?.sha256
  },

  'what failed in warming or on probation is quarantined, unless its file was damaged': (edge) => {
    const { before, happening, late, after } = edge
    const attempt = attemptOf(before.state)
    if (late || happening.kind !== 'failed' || attempt === undefined) return true
    const tried = before.state.phase === 'warming' || before.state.phase === 'probation'
    const isQuarantined = after.state.quarantined.includes(attempt.challenger.sha256)
    return isQuarantined === (tried && happening.reason !== 'DIGEST_MISMATCH')
  },

  'a champion is committed by its own health, or stands in for one that is lost': (edge) => {
    const { before, happening, after } = edge
    const [from, to] = [before.state.champion?.sha256, after.state.champion?.sha256]
    if (from === to) return true
    if (to === before.state.previous?.sha256 && ['unrestored', 'quarantine'].includes(happening.kind)) {
      return true
    }
    const attempt = attemptOf(before.state)
    const needed = attempt?.origin.kind === 'assignment' ? 'healthy' : 'warmed'
    return happening.kind === needed && to === attempt?.challenger.sha256
  },

  'pinned, nothing new is tried but by command or to repair, and only a command unpins': (edge) => {
    const { before, happening, after } = edge
    if (!before.state.pinned || happening.kind === 'unpin') return true
    const began = before.state.phase === 'idle' && after.state.phase !== 'idle'
    const origin = attemptOf(after.state)?.origin.kind
    return after.state.pinned && !(began && origin === 'assignment')
  },

  'only a technician pins': ({ before, happening, after }) =>
    before.state.pinned ||
    !after.state.pinned ||
    ['pin', 'rollback'].includes(happening.kind) ||
    attemptOf(before.state)?.origin.kind === 'rollback',

  'an assignment does not interrupt a rollback': ({ before, happening, after }) =>
    happening.kind !== 'assigned' ||
    attemptOf(before.state)?.origin.kind !== 'rollback' ||
    after.state.phase === before.state.phase,

  'something answers until a start, its own quarantine or the failure of the only version': (edge) => {
    const { before, happening, after } = edge
    if (before.active === null || after.active !== null) return true
    if (happening.kind === 'power-cut') return true
    if (happening.kind === 'quarantine') return happening.sha256 === before.active
    return before.state.phase === 'probation' && !before.state.championLoaded
  },

  'the champion is never its own challenger': ({ after: { state } }) =>
    state.champion === null || attemptOf(state)?.challenger.sha256 !== state.champion.sha256,

  'an attempt always has one piece of work under way': ({ after }) =>
    after.pending.filter(({ attempt }) => attempt === 1).length === (after.state.phase === 'idle' ? 0 : 1),

  'a champion that is not loaded is being restored, unless it is the last and would not load': (edge) => {
    const { champion, championLoaded, previous } = edge.after.state
    if (champion === null || championLoaded) return true
    const restoring = edge.after.pending.some(
      (work) => work.kind === 'restore' && work.candidate.sha256 === champion.sha256,
    )
    return restoring || previous === null
  },

  'every attempt that ends is reported once': ({ before, happening, after, effects }) => {
    const attempt = attemptOf(before.state)
    const isRestart = happening.kind === 'assigned' || happening.kind === 'rollback'
    const told = outcomesOf(effects).filter(
      ({ sha256, state, reason }) =>
        sha256 === attempt?.challenger.sha256 &&
        (state !== 'refused' || reason !== 'PINNED' || happening.kind === 'pin'),
    )
    if (attempt === undefined || isRestart) return true
    return told.length === (after.state.phase === 'idle' ? 1 : 0)
  },

  'only a start that no stop in order came before counts as a crash': ({ before, happening, after }) => {
    const [from, to] = [attemptOf(before.state), attemptOf(after.state)]
    if (from === undefined || happening.kind !== 'power-cut') return true
    const isExposed = before.state.phase === 'warming' || before.state.phase === 'probation'
    const counted = isExposed && !from.stopped ? 1 : 0
    return to === undefined ? counted === 1 : to.crashes === from.crashes + counted
  },

  'a stop in order is no news': ({ happening, before, after, effects }) =>
    happening.kind !== 'stopped' || (effects.length === 0 && after.state.phase === before.state.phase),

  'every state survives the disk': ({ after }) =>
    JSON.stringify(deploymentSchema.parse(JSON.parse(JSON.stringify(after.state)))).length ===
    JSON.stringify(after.state).length,
}

const empty: World = { state: emptyDeployment, pending: [], disk: [], proven: [], active: null }

describe.each([
  {
    name: 'every word, two versions',
    scope: {
      candidates: [candidate(1), candidate(2)],
      words: ['assigned', 'connected', 'rollback', 'pin', 'unpin', 'quarantine'],
      lateMax: 0,
    },
  },
  {
    name: 'late answers, two versions',
    scope: {
      candidates: [candidate(1), candidate(2)],
      words: ['assigned', 'connected'],
      lateMax: 1,
    },
  },
  {
    name: 'assignments, three versions',
    scope: {
      candidates: [candidate(1), candidate(2), candidate(3)],
      words: ['assigned', 'stopped'],
      lateMax: 0,
    },
  },
] as const)('every reachable edge: $name', ({ scope }) => {
  const broken = new Map<string, Edge>()
  const phases = new Set<string>()
  const champions = new Set<number | undefined>()
  const reasons = new Set<DeploymentReason | null>()
  const worlds = explore(empty, scope, (edge) => {
    phases.add(edge.after.state.phase)
    champions.add(edge.after.state.champion?.version)
    for (const { reason } of outcomesOf(edge.effects)) reasons.add(reason)
    for (const [name, holds] of Object.entries(invariants)) {
      if (!broken.has(name) && !holds(edge)) broken.set(name, edge)
    }
  })

  test('reaches every phase, every champion and the reasons that the machine gives by itself', () => {
    expect(worlds).toBeGreaterThan(5_000)
    expect(phases).toEqual(new Set(['idle', 'fetching', 'verifying', 'warming', 'probation']))
    expect(champions).toEqual(new Set([undefined, ...scope.candidates.map(({ version }) => version)]))
    for (const reason of ['STALE_RELEASE', 'QUARANTINED', 'SUPERSEDED', 'CRASHED', null] as const) {
      expect(reasons).toContain(reason)
    }
  })

  test.each(Object.keys(invariants))('%s', (name) => {
    expect(broken.get(name) && JSON.stringify(broken.get(name))).toBeUndefined()
  })
})

/** Feeds events one after the other; answers go to the attempt under way. */
const play = (start: Deployment, ...events: readonly (DeploymentEvent | Answerless)[]) => {
  let state = start
  let effects: readonly Effect[] = []
  for (const event of events) {
    const attempt = state.attempts
    const whole = 'kind' in event ? event : toAnswer(event, attempt)
    ;({ state, effects } = step(state, whole, 1))
  }
  return { state, effects, outcome: state.outcome }
}
type Answerless =
  { readonly done: 'fetched' | 'verified' | 'warmed' | 'healthy' } | { readonly failed: DeploymentReason }
const toAnswer = (event: Answerless, attempt: number): DeploymentEvent =>
  'failed' in event
    ? { kind: 'failed', attempt, reason: event.failed, detail: 'because' }
    : { kind: event.done, attempt, durationMs: 5 }

const assigned = (version: number, onDisk = false): DeploymentEvent => ({
  kind: 'assigned',
  candidate: candidate(version),
  onDisk,
})
const rollback = (version: number): DeploymentEvent => ({
  kind: 'rollback',
  candidate: candidate(version),
  commandId: 'c1',
})
const proven = [{ done: 'fetched' }, { done: 'verified' }, { done: 'warmed' }] as const
const committed = [...proven, { done: 'healthy' }] as const
const two = play(emptyDeployment, assigned(1), ...committed, assigned(2), ...committed).state

describe('deployment', () => {
  test('a version goes through fetch, verification, warm-up and probation before it is the champion', () => {
    const kinds = [assigned(3), ...committed].map((_, index, all) =>
      play(two, ...all.slice(0, index + 1)).effects.map(({ kind }) => kind),
    )
    expect(kinds).toEqual([
      ['fetch'],
      ['verify'],
      ['warm'],
      ['activate', 'watch'],
      ['abandon', 'report', 'prune'],
    ])
    const { state } = play(two, assigned(3), ...committed)
    expect(state).toMatchObject({ champion: { version: 3 }, previous: { version: 2 }, releaseMax: 3 })
    expect(state.outcome).toMatchObject({ state: 'committed', durationsMs: { fetch: 5, verify: 5, swap: 5 } })
  })

  test('the version that serves already is not deployed again', () => {
    expect(play(two, assigned(2))).toMatchObject({ state: two, effects: [] })
  })

  test('a replayed older manifest is stale, and an alarm', () => {
    const { state } = play(two, assigned(5), { failed: 'BAD_DIGEST' }, assigned(4))
    expect(state.outcome).toMatchObject({ version: 4, state: 'refused', reason: 'STALE_RELEASE' })
    expect(state.champion?.version).toBe(2)
    expect(play(two, assigned(5), assigned(4)).effects.map(({ kind }) => kind)).toEqual(['report', 'alarm'])
  })

  test('an older version that is on disk may be assigned again, without a fetch', () => {
    const { state, effects } = play(two, assigned(1, true))
    expect(state.phase).toBe('verifying')
    expect(effects).toMatchObject([{ kind: 'verify', candidate: { version: 1 } }])
    expect(play(state, ...proven.slice(1), { done: 'healthy' }).state).toMatchObject({
      champion: { version: 1 },
      releaseMax: 2,
    })
  })

  test('a newer assignment replaces the one under way, which is reported as superseded', () => {
    const { state, effects } = play(two, assigned(3), assigned(4))
    expect(effects.map(({ kind }) => kind)).toEqual(['abandon', 'report', 'fetch'])
    expect(outcomesOf(effects)).toMatchObject([{ version: 3, reason: 'SUPERSEDED' }])
    expect(attemptOf(state)?.challenger.version).toBe(4)
  })

  test('the champion, assigned again during a probation, takes over at once', () => {
    const { state, effects } = play(two, assigned(3), ...proven, assigned(2))
    expect(effects[0]).toMatchObject({ kind: 'activate', candidate: { version: 2 } })
    expect(state).toMatchObject({ phase: 'idle', champion: { version: 2 }, quarantined: [] })
  })

  test('a failed probation ends at the champion, and the digest never comes back', () => {
    const { state, effects } = play(two, assigned(3), ...proven, { failed: 'ACCURACY' })
    expect(effects.map(({ kind }) => kind)).toEqual(['activate', 'abandon', 'report', 'alarm', 'quarantine'])
    expect(state.outcome).toMatchObject({ state: 'rolled-back', reason: 'ACCURACY' })
    expect(play(state, assigned(3)).outcome).toMatchObject({ reason: 'QUARANTINED' })
    expect(play(state, rollback(3)).outcome).toMatchObject({ reason: 'QUARANTINED' })
  })

  test('bytes that are not what was signed say nothing about the digest: it is not quarantined', () => {
    const { state } = play(two, assigned(3), { done: 'fetched' }, { failed: 'BAD_DIGEST' })
    expect(state).toMatchObject({ quarantined: [], champion: { version: 2 }, waiting: null })
    expect(play(state, assigned(3)).state.phase).toBe('fetching')
  })

  test('a fetch is tried a bounded number of rounds, then waits for the next connect', () => {
    const rounds = Array.from(
      { length: deploymentLimits.fetchRoundsMax },
      () => ({ failed: 'FETCH_FAILED' }) as const,
    )
    expect(play(two, assigned(3), ...rounds.slice(1)).effects).toMatchObject([{ kind: 'fetch', round: 4 }])
    const { state } = play(two, assigned(3), ...rounds)
    expect(state).toMatchObject({ phase: 'idle', outcome: { reason: 'FETCH_FAILED' } })
    expect(play(state, { kind: 'connected' }).state.phase).toBe('fetching')
  })

  test('a rollback activates without probation, pins, and is answered by its command', () => {
    const { state, effects } = play(two, rollback(1), { done: 'verified' }, { done: 'warmed' })
    expect(effects).toMatchObject([
      { kind: 'activate', candidate: { version: 1 } },
      { kind: 'abandon' },
      { kind: 'report', origin: { kind: 'rollback', commandId: 'c1' }, outcome: { state: 'committed' } },
      { kind: 'prune' },
    ])
    expect(state).toMatchObject({ champion: { version: 1 }, previous: { version: 2 }, pinned: true })
  })

  test.each([0, 1, 2, 3])('a rollback overrules a deployment after %i of its steps', (steps) => {
    const { state } = play(two, assigned(3), ...proven.slice(0, steps), rollback(1))
    expect(attemptOf(state)).toMatchObject({ challenger: { version: 1 }, origin: { kind: 'rollback' } })
    expect(servingOf(state)?.version).toBe(2)
  })

  test('a rollback to the champion during a probation is immediate', () => {
    const { state, effects } = play(two, assigned(3), ...proven, rollback(2))
    expect(effects[0]).toMatchObject({ kind: 'activate', candidate: { version: 2 } })
    expect(outcomesOf(effects)).toMatchObject([
      { version: 3, reason: 'SUPERSEDED' },
      { version: 2, state: 'committed' },
    ])
    expect(state).toMatchObject({ phase: 'idle', pinned: true })
  })

  test('a pinned model refuses assignments without alarm and follows the newest one when it is unpinned', () => {
    const pinned = play(two, { kind: 'pin' }, assigned(3), assigned(4))
    expect(pinned.outcome).toMatchObject({ version: 4, reason: 'PINNED' })
    expect(pinned.effects.map(({ kind }) => kind)).toEqual(['report'])
    expect(pinned.state).toMatchObject({ phase: 'idle', releaseMax: 4 })
    expect(attemptOf(play(pinned.state, { kind: 'unpin' }).state)?.challenger.version).toBe(4)
  })

  test('a pin during a fetch holds what serves; one during a probation does not end it', () => {
    expect(play(two, assigned(3), { kind: 'pin' })).toMatchObject({
      state: { phase: 'idle', pinned: true, waiting: { candidate: { version: 3 } } },
      outcome: { reason: 'PINNED' },
    })
    expect(play(two, assigned(3), ...proven, { kind: 'pin' }).state).toMatchObject({
      phase: 'probation',
      pinned: true,
    })
  })

  test('a quarantined champion stops at once and the previous version stands in', () => {
    const { state, effects } = play(two, { kind: 'quarantine', sha256: candidate(2).sha256 })
    expect(effects.map(({ kind }) => kind)).toEqual(['deactivate', 'restore', 'quarantine', 'prune'])
    expect(state).toMatchObject({ champion: { version: 1 }, previous: null })
    expect(play(state, { kind: 'restored', sha256: candidate(1).sha256 }).effects).toMatchObject([
      { kind: 'activate' },
    ])
  })

  test('quarantined digests are bounded, the oldest goes', () => {
    const many = Array.from({ length: 65 }, (_, i) => i.toString(16).padStart(64, '0'))
    const { state } = play(two, ...many.map((sha256) => ({ kind: 'quarantine', sha256 }) as const))
    expect(state.quarantined).toEqual(many.slice(1))
  })

  test('a refused document is reported, and not over the news of the version that it names', () => {
    const declined = { kind: 'declined', reason: 'BAD_SIGNATURE', detail: '' } as const
    expect(play(two, { ...declined, candidate: candidate(3) }).outcome).toMatchObject({
      reason: 'BAD_SIGNATURE',
    })
    const same = play(two, { ...declined, candidate: candidate(2) })
    expect(same.state).toBe(two)
    expect(same.effects.map(({ kind }) => kind)).toEqual(['alarm'])
  })
})

describe('resume', () => {
  const kindsOf = ({ effects }: { effects: readonly Effect[] }) => effects.map(({ kind }) => kind)

  test('restores the champion and goes on where the attempt was', () => {
    expect(kindsOf(resume(two, 1))).toEqual(['restore'])
    expect(kindsOf(resume(play(two, assigned(3)).state, 1))).toEqual(['restore', 'fetch'])
    expect(kindsOf(resume(play(two, assigned(3), { done: 'fetched' }).state, 1))).toEqual([
      'restore',
      'verify',
    ])
    expect(kindsOf(resume(emptyDeployment, 1))).toEqual([])
  })

  test('nothing serves before it is restored, and the champion serves while the challenger is proven again', () => {
    const { state } = resume(play(two, assigned(3), ...proven).state, 1)
    expect(state.phase).toBe('verifying')
    expect(servingOf(state)).toBeNull()
    expect(servingOf(play(state, { kind: 'restored', sha256: candidate(2).sha256 }).state)?.version).toBe(2)
  })

  test.each(['warming', 'probation'] as const)('the third start that finds it %s is the last', (phase) => {
    const again = phase === 'warming' ? proven.slice(1, 2) : proven.slice(1)
    let { state } = play(two, assigned(3), { done: 'fetched' }, ...again)
    for (let crashes = 1; crashes < deploymentLimits.crashesMax; crashes += 1) {
      state = resume(state, 1).state
      expect(state).toMatchObject({ phase: 'verifying', attempt: { crashes } })
      ;({ state } = play(state, ...again))
    }
    const { state: last, effects } = resume(state, 1)
    expect(last).toMatchObject({ phase: 'idle', outcome: { reason: 'CRASHED' }, champion: { version: 2 } })
    expect(last.quarantined).toEqual([candidate(3).sha256])
    expect(effects[0]).toMatchObject({ kind: 'restore', candidate: { version: 2 } })
  })

  test('stops in order are no crashes, however many', () => {
    let { state } = play(two, assigned(3), ...proven)
    for (let stops = 0; stops < 9; stops += 1) {
      state = resume(play(state, { kind: 'stopped' }).state, 1).state
      expect(state).toMatchObject({ phase: 'verifying', attempt: { crashes: 0, stopped: false } })
      ;({ state } = play(state, ...proven.slice(1)))
    }
    expect(state.phase).toBe('probation')
  })

  test('a champion whose file was damaged is stood in for, and brought again, also where it is pinned', () => {
    const lost = {
      kind: 'unrestored',
      sha256: candidate(2).sha256,
      reason: 'DIGEST_MISMATCH',
      detail: '',
    } as const
    const started = resume({ ...two, pinned: true }, 1).state
    const { state, effects } = play(started, lost)
    expect(effects.map(({ kind }) => kind)).toEqual(['alarm', 'setAside', 'restore', 'fetch'])
    expect(state).toMatchObject({ champion: { version: 1 }, attempt: { origin: { kind: 'repair' } } })
    const repaired = play(state, { kind: 'restored', sha256: candidate(1).sha256 }, ...proven).state
    expect(repaired).toMatchObject({
      phase: 'idle',
      champion: { version: 2 },
      previous: { version: 1 },
      pinned: true,
    })
  })

  test('a repair that did not come through is tried again at every connect', () => {
    const lost = { kind: 'unrestored', sha256: candidate(2).sha256, reason: 'MALFORMED', detail: '' } as const
    const { state } = play(resume(two, 1).state, lost, { failed: 'MALFORMED' })
    expect(attemptOf(play(state, { kind: 'connected' }).state)).toMatchObject({ origin: { kind: 'repair' } })
  })

  test('the last version that is left is not given up because it did not load once', () => {
    const one = play(emptyDeployment, assigned(1), ...committed).state
    const failed = {
      kind: 'unrestored',
      sha256: candidate(1).sha256,
      reason: 'LOAD_FAILED',
      detail: '',
    } as const
    const { state } = play(resume(one, 1).state, failed)
    expect(state).toMatchObject({ champion: { version: 1 }, quarantined: [] })
    expect(play(state, assigned(1)).effects).toMatchObject([{ kind: 'restore' }])
  })
})
