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

  'something answers until a start, a quarantine or the failure of the only version': (edge) => {
    const { before, happening, after } = edge
    if (before.active === null || after.active !== null) return true
    if (happening.kind === 'power-cut' || happening.kind === 'quarantine') return true
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
      words: ['assigned'],
      lateMax: 0,
    },
  },
] as const)('every reachable edge: $name', ({ scope }) => {
  const t = performance.now()
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

  console.log(scope, worlds, performance.now() - t)
  test('reaches every phase, every champion and the reasons that the machine gives by itself', () => {
    expect(worlds).toBeGreaterThan(10_000)
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
