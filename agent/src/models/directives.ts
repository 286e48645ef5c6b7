/**
 * What a word from outside means for a model: the director assigns, a technician overrules.
 * Everything here was verified already; these are the rules about what a true word may still not do.
 */

import type { InstalledVersion } from '@imlma/protocol/wire'
import type { Assignment, Deployment, Directive, Effect, Step } from './deployment-state.ts'
import {
  after,
  begin,
  fallBack,
  refuseCandidate,
  settle,
  standIn,
  stay,
  supersede,
  withQuarantined,
} from './transitions.ts'

export const stepDirective = (state: Deployment, directive: Directive, now: number): Step => {
  switch (directive.kind) {
    case 'assigned':
      return assign(state, { ...directive, origin: { kind: 'assignment' } }, now)
    case 'declined':
      return decline(state, directive, now)
    case 'rollback':
      return rollBack(state, directive, now)
    case 'pin':
      return pin(state, now)
    case 'unpin':
      return retry({ ...state, pinned: false }, now)
    case 'quarantine':
      return quarantine(state, directive.sha256, now)
    case 'connected':
      return retry(state, now)
  }
}

const assign = (state: Deployment, { candidate, onDisk, origin }: Assignment, now: number): Step => {
  const refuse = (reason: 'QUARANTINED' | 'STALE_RELEASE', detail: string): Step =>
    refuseCandidate(state, candidate, { reason, detail, now, alarming: true }, origin)

  if (state.quarantined.includes(candidate.sha256)) {
    return refuse('QUARANTINED', 'this digest is never served again here')
  }
  const isChampion = state.champion?.sha256 === candidate.sha256
  const isUnderWay = state.phase !== 'idle' && state.attempt.challenger.sha256 === candidate.sha256
  // Anti-rollback (TUF 1.0.34, "Check for a rollback attack"): an older release can only be one that is here already.
  const isKnown = onDisk || isChampion || isUnderWay || origin.kind === 'repair'
  if (candidate.release < state.releaseMax && !isKnown) {
    return refuse('STALE_RELEASE', `release ${candidate.release} is below ${state.releaseMax}`)
  }

  const accepted = { ...state, releaseMax: Math.max(state.releaseMax, candidate.release) }
  if (isUnderWay) return stay({ ...accepted, waiting: null })
  if (isChampion && state.phase === 'idle') {
    const settled = { ...accepted, waiting: null }
    // It is the champion and could not be loaded: the director's word is a reason to try again.
    return accepted.championLoaded
      ? stay(settled)
      : { state: settled, effects: [{ kind: 'restore', candidate: state.champion }] }
  }
  if (isHeld(accepted) && origin.kind !== 'repair') {
    // It waits: whoever unpins gets the newest assignment, also while the control centre is out of reach.
    const held = { reason: 'PINNED', detail: 'held by a technician', now, alarming: false } as const
    return refuseCandidate({ ...accepted, waiting: { candidate, onDisk, origin } }, candidate, held)
  }
  return makeRoom(accepted, candidate, now, (idle) =>
    isChampion ? stay({ ...idle, waiting: null }) : begin(idle, { candidate, onDisk, origin }),
  )
}

/** A refused document changes nothing; it is not reported over the news of the very version that it names. */
const decline = (
  state: Deployment,
  { candidate, reason, detail }: Extract<Directive, { kind: 'declined' }>,
  now: number,
): Step => {
  const { state: told, effects } = refuseCandidate(state, candidate, { reason, detail, now, alarming: true })
  const busy = state.phase !== 'idle' || state.champion?.sha256 === candidate.sha256
  return busy ? { state, effects: effects.filter(({ kind }) => kind === 'alarm') } : { state: told, effects }
}

/** Overrules whatever is under way. The champion is loaded and answers at once; anything else is verified first. */
const rollBack = (
  state: Deployment,
  { candidate, commandId }: Extract<Directive, { kind: 'rollback' }>,
  now: number,
): Step => {
  const origin = { kind: 'rollback', commandId } as const
  if (state.quarantined.includes(candidate.sha256)) {
    const refusal = { reason: 'QUARANTINED', detail: 'this digest is never served again here', now } as const
    return refuseCandidate(state, candidate, { ...refusal, alarming: false }, origin)
  }
  return makeRoom({ ...state, waiting: null }, candidate, now, (idle) => {
    if (idle.champion?.sha256 !== candidate.sha256) return begin(idle, { candidate, onDisk: true, origin })
    if (!idle.championLoaded) {
      const refusal = {
        reason: 'LOAD_FAILED',
        detail: 'the champion is not loaded; it is tried again',
      } as const
      const refused = refuseCandidate(idle, candidate, { ...refusal, now, alarming: false }, origin)
      return { ...refused, effects: [...refused.effects, { kind: 'restore', candidate }] }
    }
    const { version, sha256 } = candidate
    const settled = {
      version,
      sha256,
      state: 'committed',
      reason: null,
      detail: '',
      durationsMs: {},
    } as const
    const outcome = { ...settled, at: now }
    return { state: { ...idle, pinned: true, outcome }, effects: [{ kind: 'report', origin, outcome }] }
  })
}

/** Holds what serves. A challenger that serves already ends its probation; one that does not yet waits. */
const pin = (state: Deployment, now: number): Step => {
  if (state.phase === 'idle' || state.phase === 'probation' || state.attempt.origin.kind !== 'assignment') {
    return stay({ ...state, pinned: true })
  }
  const { challenger: candidate, origin } = state.attempt
  const held = { reason: 'PINNED', detail: 'held by a technician', now, alarming: false } as const
  const { state: idle, effects } = fallBack(state, held)
  return {
    state: { ...idle, pinned: true, waiting: { candidate, onDisk: state.phase !== 'fetching', origin } },
    effects,
  }
}

/** Never again: not as challenger, not as champion, not as the way back. */
const quarantine = (state: Deployment, sha256: string, now: number): Step => {
  const effects: Effect[] = []
  let next: Deployment = withQuarantined(state, sha256)
  if (next.phase !== 'idle' && next.attempt.challenger.sha256 === sha256) {
    const ending = {
      reason: 'QUARANTINED',
      detail: 'quarantined by a technician',
      now,
      alarming: false,
    } as const
    const ended = fallBack(next, ending)
    next = ended.state
    effects.push(...ended.effects)
  }
  if (next.champion?.sha256 === sha256) {
    const stoodIn = standIn(next, now)
    next = stoodIn.state
    effects.push(...stoodIn.effects)
  }
  return { state: next, effects: [...effects, { kind: 'quarantine', sha256 }, { kind: 'prune' }] }
}

/** What was waiting is judged again as if it had come just now. */
const retry = (state: Deployment, now: number): Step => {
  const { waiting } = state
  if (waiting === null || state.phase !== 'idle') return stay(state)
  if (state.pinned && waiting.origin.kind !== 'repair') return stay(state)
  return assign({ ...state, waiting: null }, waiting, now)
}

/** True while a technician's word stands, or is being carried out. */
const isHeld = (state: Deployment): boolean =>
  state.pinned || (state.phase !== 'idle' && state.attempt.origin.kind === 'rollback')

const makeRoom = (
  state: Deployment,
  { version }: InstalledVersion,
  now: number,
  next: (idle: ReturnType<typeof settle>) => Step,
): Step => {
  if (state.phase === 'idle') return next(state)
  const superseded = supersede(state, `version ${version} was wanted instead`, now)
  return after(superseded.effects, next(settle(superseded.state)))
}
