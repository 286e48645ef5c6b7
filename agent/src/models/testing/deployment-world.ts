/**
 * A world around one deployment machine for its exhaustive exploration: a disk, loaded sessions, and work under way that
 * may end in every way it can, also after it was abandoned. Attempts are renumbered so that the world stays finite:
 * the machine only compares them.
 */

import type { DeploymentReason, InstalledVersion } from '@imlma/protocol/wire'
import { resume, step } from '../deployment.ts'
import type { Deployment, DeploymentEvent, Effect } from '../deployment-state.ts'

/** Something the shell was told to do, and has not answered yet. */
export interface Pending {
  readonly kind: 'fetch' | 'verify' | 'warm' | 'watch' | 'restore'
  readonly attempt: number
  readonly candidate: InstalledVersion
}

export interface World {
  readonly state: Deployment
  readonly pending: readonly Pending[]
  /** Digests whose file is on disk as it was signed. */
  readonly disk: readonly string[]
  /** Digests that passed their golden vectors since the last start. */
  readonly proven: readonly string[]
  /** Digest that answers. */
  readonly active: string | null
}

/** An event, or the power cut that is none. */
export type Happening = DeploymentEvent | { readonly kind: 'power-cut' }

export interface Edge {
  readonly before: World
  readonly happening: Happening
  /** True for an answer that nobody waits for any more. */
  readonly late: boolean
  readonly after: World
  readonly effects: readonly Effect[]
}

interface Scope {
  readonly candidates: readonly InstalledVersion[]
  /** Words from outside that may come at any time; `assigned` gets its `onDisk` from the world's disk. */
  readonly words: readonly (
    'assigned' | 'rollback' | 'pin' | 'unpin' | 'quarantine' | 'connected' | 'stopped'
  )[]
  /** Answers of abandoned work that may still be on their way. */
  readonly lateMax: number
}

/** Calls `visit` with every edge reachable from `start`; returns how many worlds there are. */
export const explore = (start: World, scope: Scope, visit: (edge: Edge) => void): number => {
  const seen = new Set([keyOf(start)])
  const queue = [start]
  for (let world = queue.pop(); world !== undefined; world = queue.pop()) {
    for (const { happening, from } of happeningsOf(world, scope)) {
      const edge = happen(world, happening, from, scope.lateMax)
      visit(edge)
      const key = keyOf(edge.after)
      if (seen.has(key)) continue
      seen.add(key)
      queue.push(edge.after)
    }
  }
  return seen.size
}

const now = 1

const happen = (before: World, happening: Happening, from: Pending | undefined, lateMax: number): Edge => {
  const isCut = happening.kind === 'power-cut'
  const { state, effects } = isCut ? resume(before.state, now) : step(before.state, happening, now)
  const answered = isCut
    ? { ...before, pending: [], proven: [], active: null }
    : endWork(before, happening, from)
  const world = effects.reduce(runEffect, { ...answered, state })
  const late = from !== undefined && isLate(from, before)
  return { before, happening, late, effects, after: renumber({ ...world, pending: bound(world, lateMax) }) }
}

/** What the end of a piece of work did to the disk and the sessions, whatever the machine makes of its answer. */
const endWork = (world: World, happening: DeploymentEvent, from: Pending | undefined): World => {
  if (from === undefined) return world
  const pending = world.pending.filter((work) => work !== from)
  const { sha256 } = from.candidate
  const damaged = 'reason' in happening && happening.reason === 'DIGEST_MISMATCH'
  const arrived = happening.kind === 'verified'
  const proven = happening.kind === 'warmed' || happening.kind === 'restored'
  return {
    ...world,
    pending,
    disk: damaged ? without(world.disk, sha256) : arrived ? including(world.disk, sha256) : world.disk,
    proven: proven ? including(world.proven, sha256) : world.proven,
  }
}

const runEffect = (world: World, effect: Effect): World => {
  switch (effect.kind) {
    case 'fetch':
    case 'verify':
    case 'warm':
    case 'watch': {
      const { kind, attempt, candidate } = effect
      return { ...world, pending: [...world.pending, { kind, attempt, candidate }] }
    }
    case 'restore': {
      const isRunning = world.pending.some(
        ({ kind, candidate }) => kind === 'restore' && candidate.sha256 === effect.candidate.sha256,
      )
      const work: Pending = { kind: 'restore', attempt: 0, candidate: effect.candidate }
      return isRunning ? world : { ...world, pending: [...world.pending, work] }
    }
    case 'activate':
      return { ...world, active: effect.candidate.sha256 }
    case 'deactivate':
      return { ...world, active: null }
    case 'setAside':
    case 'quarantine':
      return { ...world, disk: without(world.disk, effect.sha256) }
    case 'abandon':
    case 'prune':
    case 'report':
    case 'alarm':
      return world
  }
}

const happeningsOf = (
  world: World,
  scope: Scope,
): readonly { readonly happening: Happening; readonly from?: Pending }[] => [
  { happening: { kind: 'power-cut' } },
  ...scope.words.flatMap((word): readonly { happening: Happening }[] => {
    if (word === 'pin' || word === 'unpin' || word === 'connected' || word === 'stopped')
      return [{ happening: { kind: word } }]
    return scope.candidates.flatMap((candidate): readonly { happening: Happening }[] => {
      const onDisk = world.disk.includes(candidate.sha256)
      if (word === 'assigned') return [{ happening: { kind: word, candidate, onDisk } }]
      if (word === 'quarantine') return [{ happening: { kind: word, sha256: candidate.sha256 } }]
      // The shell finds the version on disk before it says so.
      return onDisk ? [{ happening: { kind: word, candidate, commandId: 'c' } }] : []
    })
  }),
  ...world.pending.flatMap((from) => endsOf(from, world).map((happening) => ({ happening, from }))),
]

/** Every way in which a piece of work can end. */
const endsOf = ({ kind, attempt, candidate }: Pending, world: World): readonly DeploymentEvent[] => {
  const { sha256 } = candidate
  const failed = (...reasons: DeploymentReason[]): DeploymentEvent[] =>
    reasons.map((reason) => ({ kind: 'failed', attempt, reason, detail: '' }))
  const isThere = world.disk.includes(sha256)
  switch (kind) {
    case 'fetch':
      return [{ kind: 'fetched', attempt, durationMs: 0 }, ...failed('FETCH_FAILED', 'TOO_LARGE')]
    case 'verify':
      return [{ kind: 'verified', attempt, durationMs: 0 }, ...failed('BAD_DIGEST', 'DIGEST_MISMATCH')]
    case 'warm':
      return isThere
        ? [{ kind: 'warmed', attempt, durationMs: 0 }, ...failed('GOLDEN_MISMATCH', 'DIGEST_MISMATCH')]
        : failed('DIGEST_MISMATCH')
    case 'watch':
      return [{ kind: 'healthy', attempt }, ...failed('ACCURACY')]
    case 'restore': {
      const unrestored = (reason: DeploymentReason): DeploymentEvent => ({
        kind: 'unrestored',
        sha256,
        reason,
        detail: '',
      })
      return isThere
        ? [{ kind: 'restored', sha256 }, unrestored('LOAD_FAILED'), unrestored('DIGEST_MISMATCH')]
        : [unrestored('DIGEST_MISMATCH')]
    }
  }
}

const attemptOf = (state: Deployment): number => (state.phase === 'idle' ? -1 : state.attempt.number)

const isLate = (work: Pending, { state }: World): boolean =>
  work.kind === 'restore'
    ? state.champion?.sha256 !== work.candidate.sha256 || state.championLoaded
    : work.attempt !== attemptOf(state)

const bound = (world: World, lateMax: number): readonly Pending[] => {
  const late = world.pending.filter((work) => isLate(work, world))
  const kept = late.slice(Math.max(0, late.length - lateMax))
  return world.pending.filter((work) => !isLate(work, world) || kept.includes(work))
}

/** The attempt under way is 1, anything older 0. */
const renumber = (world: World): World => {
  const current = attemptOf(world.state)
  const pending = world.pending.map((work) => ({ ...work, attempt: work.attempt === current ? 1 : 0 }))
  const state =
    world.state.phase === 'idle'
      ? { ...world.state, attempts: 0, outcome: null }
      : { ...world.state, attempts: 1, outcome: null, attempt: { ...world.state.attempt, number: 1 } }
  return { ...world, state, pending }
}

const keyOf = ({ state, pending, disk, proven, active }: World): string =>
  JSON.stringify([
    { ...state, quarantined: state.quarantined.toSorted() },
    pending.map(({ kind, attempt, candidate }) => `${kind}${attempt}${candidate.version}`).toSorted(),
    disk.toSorted(),
    proven.toSorted(),
    active,
  ])

const including = (list: readonly string[], item: string): readonly string[] =>
  list.includes(item) ? list : [...list, item]

const without = (list: readonly string[], item: string): readonly string[] =>
  list.filter((each) => each !== item)
