/**
 * How one model of an agent moves from version to version, and back.
 *
 *                 ┌────────── named, and on disk ─────────────┐
 *   idle ──assigned──▶ fetching ──fetched──▶ verifying ──verified──▶ warming ──warmed──▶ probation ──healthy──▶ idle
 *    ▲                    │ failed              │ failed               │ failed             │ failed       (committed)
 *    └────────────────────┴─────────────────────┴──────────────────────┴────────────────────┘
 *                              the champion answers; the reason is reported
 *
 * The champion answers in every phase but probation, where the challenger does and the champion stays loaded to take
 * over. A committed version that comes back (a technician's rollback, a repair) needs no second probation: `warmed`
 * commits it. What a director or a technician may order stands in `directives.ts`.
 *
 * `step` is pure: it returns the effects that the shell must run, and the shell answers each with an event that carries
 * the attempt it answers, so that a late answer changes nothing. A state is on disk before its effects run; after a
 * power cut, `resume` says what to run again. Fetching, hashing and loading themselves are not here.
 */

import type { DeploymentReason, InstalledVersion } from '@imlma/protocol/wire'
import {
  deploymentLimits,
  type Answer,
  type Deployment,
  type DeploymentEvent,
  type Effect,
  type Restoration,
  type Step,
  type UnderWay,
} from './deployment-state.ts'
import { stepDirective } from './directives.ts'
import {
  after,
  begin,
  commit,
  fallBack,
  settle,
  standIn,
  stay,
  verifyEffect,
  withQuarantined,
} from './transitions.ts'

/** The next state and its effects, in the order in which they run. An event that does not apply changes nothing. */
export const step = (state: Deployment, event: DeploymentEvent, now: number): Step => {
  switch (event.kind) {
    case 'fetched':
    case 'verified':
    case 'warmed':
    case 'healthy':
    case 'failed':
      return stepAnswer(state, event, now)
    case 'restored':
    case 'unrestored':
      return stepRestoration(state, event, now)
    case 'stopped':
      return state.phase === 'idle' ? stay(state) : stay(marked(state, true))
    case 'assigned':
    case 'declined':
    case 'rollback':
    case 'pin':
    case 'unpin':
    case 'quarantine':
    case 'connected':
      return stepDirective(state, event, now)
  }
}

/**
 * What to run after a start. Nothing is loaded: the champion is restored, and an attempt goes on beside it. A start that
 * finds a challenger warming or on probation may be that challenger's doing, unless the agent was stopped in order: it is
 * counted, and the third one is the last.
 */
export const resume = (before: Deployment, now: number): Step => {
  const state = { ...before, championLoaded: false }
  const restore: readonly Effect[] =
    state.champion === null ? [] : [{ kind: 'restore', candidate: state.champion }]
  switch (state.phase) {
    case 'idle':
      return { state, effects: restore }
    case 'fetching':
      return { state, effects: [...restore, fetchEffect(state)] }
    case 'verifying':
      return { state, effects: [...restore, verifyEffect(state.attempt)] }
    case 'warming':
    case 'probation':
      return after(restore, state.attempt.stopped ? verify(marked(state, false)) : countCrash(state, now))
  }
}

const stepAnswer = (state: Deployment, answer: Answer, now: number): Step => {
  if (state.phase === 'idle' || answer.attempt !== state.attempt.number) return stay(state)
  if (answer.kind === 'failed') return fail(state, answer.reason, answer.detail, now)
  switch (state.phase) {
    case 'fetching':
      return answer.kind === 'fetched' ? verify(timed(state, { fetch: answer.durationMs })) : stay(state)
    case 'verifying':
      return answer.kind === 'verified' ? warm(timed(state, { verify: answer.durationMs })) : stay(state)
    case 'warming':
      return answer.kind === 'warmed' ? serve(timed(state, { swap: answer.durationMs }), now) : stay(state)
    case 'probation':
      return answer.kind === 'healthy' ? commit(state, now) : stay(state)
  }
}

const verify = (state: UnderWay): Step => ({
  state: { ...state, phase: 'verifying' },
  effects: [verifyEffect(state.attempt)],
})

const warm = (state: UnderWay): Step => {
  const { number, challenger, origin } = state.attempt
  // A slow version that was good before beats the one that a person wants gone.
  const isTimed = origin.kind === 'assignment'
  return {
    state: { ...state, phase: 'warming' },
    effects: [{ kind: 'warm', attempt: number, candidate: challenger, timed: isTimed }],
  }
}

const serve = (state: UnderWay, now: number): Step => {
  const activate: Effect = { kind: 'activate', candidate: state.attempt.challenger }
  if (state.attempt.origin.kind !== 'assignment') return after([activate], commit(state, now))
  return { state: { ...state, phase: 'probation' }, effects: [activate, watchEffect(state)] }
}

/** Reasons of the fetch that pass by themselves: what was assigned waits for the next connect. */
const passing: readonly DeploymentReason[] = ['FETCH_FAILED', 'NO_SPACE']

const fail = (state: UnderWay, reason: DeploymentReason, detail: string, now: number): Step => {
  const { attempt } = state
  const fetchRounds = attempt.fetchRounds + 1
  if (reason === 'FETCH_FAILED' && fetchRounds < deploymentLimits.fetchRoundsMax) {
    const again = { ...state, attempt: { ...attempt, fetchRounds } }
    return { state: again, effects: [fetchEffect(again)] }
  }
  const { challenger: candidate, origin } = attempt
  const ended = fallBack(state, { reason, detail, now, alarming: true })
  if (reason === 'DIGEST_MISMATCH') return loseFile(ended, candidate)
  // What loads wrong, is slow or crashes is wrong for good. What did not arrive whole says nothing about the digest.
  if (state.phase === 'warming' || state.phase === 'probation') return condemn(ended, candidate)
  const waits = origin.kind === 'repair' || (origin.kind === 'assignment' && passing.includes(reason))
  if (!waits || ended.state.waiting !== null) return ended
  return { ...ended, state: { ...ended.state, waiting: { candidate, onDisk: false, origin } } }
}

const countCrash = (state: UnderWay, now: number): Step => {
  const crashes = state.attempt.crashes + 1
  const counted = { ...state, attempt: { ...state.attempt, crashes } }
  return crashes < deploymentLimits.crashesMax
    ? verify(counted)
    : fail(counted, 'CRASHED', `the agent stopped ${crashes} times while this version was tried`, now)
}

const marked = (state: UnderWay, stopped: boolean): UnderWay => ({
  ...state,
  attempt: { ...state.attempt, stopped },
})

const stepRestoration = (state: Deployment, event: Restoration, now: number): Step => {
  if (state.champion?.sha256 !== event.sha256 || state.championLoaded) return stay(state)
  if (event.kind === 'restored') {
    const effects: readonly Effect[] =
      state.phase === 'probation' ? [] : [{ kind: 'activate', candidate: state.champion }]
    return { state: { ...state, championLoaded: true }, effects }
  }
  return loseChampion(state, state.champion, event, now)
}

/** Reasons that are about the files of a version, not about the version: fetched again, it may serve again. */
const damages: readonly DeploymentReason[] = ['DIGEST_MISMATCH', 'BAD_SIGNATURE', 'UNKNOWN_KEY', 'MALFORMED']

/** The champion cannot be restored: the previous version stands in, and a champion whose file was damaged is fetched again. */
const loseChampion = (
  state: Deployment,
  lost: InstalledVersion,
  { reason, detail }: Extract<Restoration, { kind: 'unrestored' }>,
  now: number,
): Step => {
  const alarm: Effect = { kind: 'alarm', candidate: lost, reason, detail }
  const isDamaged = damages.includes(reason)
  // Nothing else to serve, and its file is whole: the next start may have more luck than this one.
  if (!isDamaged && state.previous === null) return { state, effects: [alarm] }
  if (!isDamaged) return condemn(after([alarm], standIn(state, now)), lost)
  const stoodIn = standIn(state, now)
  const what = reason === 'DIGEST_MISMATCH' ? 'artifact' : 'manifest'
  const setAside: Effect = { kind: 'setAside', sha256: lost.sha256, what }
  const effects: readonly Effect[] = [alarm, setAside, ...stoodIn.effects]
  // An attempt that is under way is newer than the champion that was lost.
  if (state.phase !== 'idle') return { state: stoodIn.state, effects }
  const repair = { candidate: lost, onDisk: false, origin: { kind: 'repair' } } as const
  return after(effects, begin(settle(stoodIn.state), repair))
}

/** Never served again. */
const condemn = ({ state, effects }: Step, { sha256 }: InstalledVersion): Step => ({
  state: withQuarantined(state, sha256),
  effects: [...effects, { kind: 'quarantine', sha256 }],
})

/** A file that was on disk and is not itself any more: out of the way, and not a way back any more. */
const loseFile = ({ state, effects }: Step, { sha256 }: InstalledVersion): Step => ({
  state: { ...state, previous: state.previous?.sha256 === sha256 ? null : state.previous },
  effects: [...effects, { kind: 'setAside', sha256, what: 'artifact' }],
})

const timed = (state: UnderWay, durationsMs: UnderWay['attempt']['durationsMs']): UnderWay => ({
  ...state,
  attempt: { ...state.attempt, durationsMs: { ...state.attempt.durationsMs, ...durationsMs } },
})

const fetchEffect = ({ attempt: { number, challenger, fetchRounds } }: UnderWay): Effect => ({
  kind: 'fetch',
  attempt: number,
  candidate: challenger,
  round: fetchRounds,
})

const watchEffect = ({ attempt: { number, challenger } }: UnderWay): Effect => ({
  kind: 'watch',
  attempt: number,
  candidate: challenger,
})
