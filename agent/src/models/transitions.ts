/**
 * The moves that the deployment machine is made of: begin an attempt, give it up, commit it, refuse a candidate.
 * Each is named after what it means; `deployment.ts` and `directives.ts` say when it applies.
 */

import type { DeploymentOutcome, DeploymentReason, InstalledVersion } from '@imlma/protocol/wire'
import {
  deploymentLimits,
  servingOf,
  type Assignment,
  type Deployment,
  type Effect,
  type Idle,
  type Origin,
  type Step,
  type UnderWay,
} from './deployment-state.ts'

export const stay = (state: Deployment): Step => ({ state, effects: [] })

/** The step with what has to happen before it. */
export const after = (first: readonly Effect[], { state, effects }: Step): Step => ({
  state,
  effects: [...first, ...effects],
})

/** The state without its attempt. */
export const settle = (state: Deployment): Idle => {
  if (state.phase === 'idle') return state
  const { attempt: _, ...standing } = state
  return { ...standing, phase: 'idle' }
}

/** A new attempt. What is on disk already is not fetched: an old version that is not there stays where it is. */
export const begin = (idle: Idle, { candidate, onDisk, origin }: Assignment): Step => {
  const number = idle.attempts + 1
  const attempt = {
    number,
    challenger: candidate,
    origin,
    fetchRounds: 0,
    crashes: 0,
    stopped: false,
    durationsMs: {},
  }
  // A repair only brings back what was there: it does not overrule the assignment that waits.
  const waiting = origin.kind === 'repair' ? idle.waiting : null
  const standing = { ...idle, attempts: number, waiting, attempt }
  return onDisk
    ? {
        state: { ...standing, phase: 'verifying' },
        effects: [verifyEffect(attempt)],
      }
    : {
        state: { ...standing, phase: 'fetching' },
        effects: [{ kind: 'fetch', attempt: number, candidate, round: 0 }],
      }
}

/** Like a slow version, one of other series beats the one that a person wants gone: only what is assigned must fit. */
export const verifyEffect = ({ number, challenger, origin }: UnderWay['attempt']): Effect => ({
  kind: 'verify',
  attempt: number,
  candidate: challenger,
  isNew: origin.kind === 'assignment',
})

interface Ending {
  readonly reason: DeploymentReason
  readonly detail: string
  readonly now: number
  /** False where somebody wanted it so: nothing to be alarmed about. */
  readonly alarming: boolean
}

/** Ends the attempt at the champion, which answers again if the challenger did. */
export const fallBack = (state: UnderWay, { reason, detail, now, alarming }: Ending): Step => {
  const { number, challenger, origin, durationsMs } = state.attempt
  const served = state.phase === 'probation'
  const outcome: DeploymentOutcome = {
    ...installed(challenger),
    state: served ? 'rolled-back' : 'refused',
    reason,
    detail: clip(detail),
    durationsMs,
    at: now,
  }
  const effects: Effect[] = []
  if (served) effects.push(championTakesOver(state))
  effects.push({ kind: 'abandon', attempt: number }, { kind: 'report', origin, outcome })
  if (alarming) effects.push({ kind: 'alarm', candidate: challenger, reason, detail: clip(detail) })
  return { state: { ...settle(state), outcome }, effects }
}

/** Nobody's fault: the attempt makes room for a newer word. */
export const supersede = (state: UnderWay, detail: string, now: number): Step =>
  fallBack(state, { reason: 'SUPERSEDED', detail, now, alarming: false })

/** The challenger becomes the champion; the champion stays on disk as the way back. */
export const commit = (state: UnderWay, now: number): Step => {
  const { number, challenger, origin, durationsMs } = state.attempt
  const again = state.champion?.sha256 === challenger.sha256
  const outcome: DeploymentOutcome = {
    ...installed(challenger),
    state: 'committed',
    reason: null,
    detail: '',
    durationsMs,
    at: now,
  }
  return {
    state: {
      ...settle(state),
      champion: challenger,
      championLoaded: true,
      previous: again ? state.previous : state.champion,
      // A technician's rollback holds until someone unpins (protocol.md, "Operations a technician can command").
      pinned: state.pinned || origin.kind === 'rollback',
      outcome,
    },
    effects: [{ kind: 'abandon', attempt: number }, { kind: 'report', origin, outcome }, { kind: 'prune' }],
  }
}

/** Says no to a candidate and leaves everything else as it is. */
export const refuseCandidate = (
  state: Deployment,
  candidate: InstalledVersion,
  { reason, detail, now, alarming }: Ending,
  origin: Origin = { kind: 'assignment' },
): Step => {
  const outcome: DeploymentOutcome = {
    ...installed(candidate),
    state: 'refused',
    reason,
    detail: clip(detail),
    durationsMs: {},
    at: now,
  }
  const effects: Effect[] = [{ kind: 'report', origin, outcome }]
  if (alarming) effects.push({ kind: 'alarm', candidate, reason, detail: clip(detail) })
  return { state: { ...state, outcome }, effects }
}

/** The digest among those never served again, without it anywhere else but in the attempt and the champion. */
export const withQuarantined = <State extends Deployment>(state: State, sha256: string): State => ({
  ...state,
  quarantined: [...state.quarantined.filter((digest) => digest !== sha256), sha256].slice(
    -deploymentLimits.quarantinedMax,
  ),
  previous: state.previous?.sha256 === sha256 ? null : state.previous,
  waiting: state.waiting?.candidate.sha256 === sha256 ? null : state.waiting,
})

/**
 * The previous version stands in for a champion that cannot serve, or must not any more. What must not answers nothing
 * more from here on; until the previous one is restored, serving lets the baseline answer whoever asks.
 */
export const standIn = (state: Deployment, now: number): Step => {
  const { champion, championLoaded, previous } = state
  if (state.phase !== 'idle' && state.attempt.challenger.sha256 === previous?.sha256) {
    // The way back is being tried already. On probation it serves, and it was committed once: it is the champion.
    if (state.phase === 'probation') return commit({ ...state, champion: null, previous: null }, now)
    const ended = supersede(state, 'it stands in for the champion', now)
    return after(ended.effects, standIn(ended.state, now))
  }
  const effects: Effect[] = []
  if (championLoaded && servingOf(state) === champion) effects.push({ kind: 'deactivate' })
  if (previous !== null) effects.push({ kind: 'restore', candidate: previous })
  return { state: { ...state, champion: previous, championLoaded: false, previous: null }, effects }
}

const championTakesOver = ({ champion, championLoaded }: Deployment): Effect =>
  champion !== null && championLoaded ? { kind: 'activate', candidate: champion } : { kind: 'deactivate' }

const installed = ({ version, sha256 }: InstalledVersion) => ({ version, sha256 })

/** As much as `reported` carries. */
const clip = (detail: string): string => detail.slice(0, 500)
