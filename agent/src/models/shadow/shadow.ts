/**
 * How a challenger comes to run in shadow, and how that ends. The champion answers throughout: nothing here touches it.
 *
 *                ┌──────── on disk ────────┐
 *   none ──told──▶ fetching ──fetched──▶ verifying ──verified──▶ warming ──warmed──▶ running
 *    ▲                 │ failed              │ failed                │ failed            │ crashed the agent
 *    │                 └─────────────────────┴────────▶ refused ◀────┴───────────────────┘
 *    └── dismissed, from everywhere              (until another is told; what passes is tried again)
 *
 * A run that fails, or answers no numbers, is no event: it counts against the challenger where it is compared. Only what
 * stops the whole agent again and again is quarantined. `step` is pure, as the deployment's; the shell answers each
 * effect with an event that carries the attempt it answers.
 */

import type { DeploymentReason, InstalledVersion } from '@imlma/protocol/wire'
import {
  isPassing,
  shadowLimits,
  type Beside,
  type Shadow,
  type ShadowEffect,
  type ShadowEvent,
  type ShadowStep,
  type ShadowUnderWay,
} from './shadow-state.ts'

/** The next state and its effects, in the order in which they run. An event that does not apply changes nothing. */
export const stepShadow = (shadow: Shadow, event: ShadowEvent, beside: Beside): ShadowStep => {
  switch (event.kind) {
    case 'told':
      return tell(shadow, event, beside)
    case 'declined':
      return decline(shadow, event)
    case 'dismissed':
      return shadow.state === 'none'
        ? stay(shadow)
        : { shadow: { state: 'none', attempt: shadow.attempt }, effects: leave(shadow) }
    case 'looked':
      return look(shadow, beside)
    case 'connected':
      return retry(shadow, false, beside)
    case 'settled':
      return shadow.state === 'running' && shadow.attempt === event.attempt && shadow.crashes > 0
        ? stay({ ...shadow, crashes: 0 })
        : stay(shadow)
    case 'stopped':
      return isExposed(shadow) ? stay({ ...shadow, stopped: true }) : stay(shadow)
    case 'fetched':
    case 'verified':
    case 'warmed':
    case 'failed':
      return answer(shadow, event)
  }
}

/**
 * What to run after a start. A start that finds the challenger warming or running, and no orderly stop before it, may be
 * its doing: it is counted, and the third one is the last.
 */
export const resumeShadow = (shadow: Shadow, beside: Beside): ShadowStep => {
  const barred = look(shadow, beside)
  if (barred.shadow.state === 'none' || barred.shadow.state === 'refused') return barred
  const { shadow: found } = barred
  if (found.state === 'fetching') return { shadow: found, effects: [fetchEffect(found)] }
  const isCrash = isExposed(found) && !found.stopped && !beside.trying
  const crashes = found.crashes + (isCrash ? 1 : 0)
  if (crashes >= shadowLimits.crashesMax) {
    const detail = `the agent stopped ${crashes} times while this version ran in shadow`
    const refused = refuse(found, found.candidate, 'CRASHED', detail)
    const quarantine = { kind: 'quarantine', sha256: found.candidate.sha256 } as const
    return { ...refused, effects: [...refused.effects, quarantine] }
  }
  return verify({ ...found, crashes, stopped: false })
}

const stay = (shadow: Shadow): ShadowStep => ({ shadow, effects: [] })

const tell = (
  shadow: Shadow,
  { candidate, onDisk }: Extract<ShadowEvent, { kind: 'told' }>,
  beside: Beside,
): ShadowStep => {
  if (shadow.state === 'none') return beginUnlessBarred(shadow, candidate, onDisk, beside)
  const isSame =
    shadow.candidate.sha256 === candidate.sha256 && shadow.candidate.version === candidate.version
  if (!isSame) {
    const begun = beginUnlessBarred(shadow, candidate, onDisk, beside)
    return { ...begun, effects: [...leave(shadow), ...begun.effects] }
  }
  return retry({ ...shadow, candidate }, onDisk, beside)
}

/** Something is named that nobody believes: it stands in the place of what ran before, and does not run. */
const decline = (
  shadow: Shadow,
  { candidate, reason, detail }: Extract<ShadowEvent, { kind: 'declined' }>,
): ShadowStep => {
  const isKnown =
    shadow.state === 'refused' && shadow.candidate.sha256 === candidate.sha256 && shadow.reason === reason
  // It is retained, and comes with every connect: one alarm is enough.
  return isKnown ? stay(shadow) : refuse(shadow, candidate, reason, detail)
}

/** Has the deployment beside it made it pointless, or impossible? */
const look = (shadow: Shadow, beside: Beside): ShadowStep => {
  if (shadow.state === 'none' || shadow.state === 'refused') return stay(shadow)
  const bar = barOf(shadow.candidate, beside)
  return bar === undefined ? stay(shadow) : refuse(shadow, shadow.candidate, bar.reason, bar.detail)
}

const retry = (shadow: Shadow, onDisk: boolean, beside: Beside): ShadowStep =>
  shadow.state === 'refused' && isPassing(shadow) && barOf(shadow.candidate, beside) === undefined
    ? begin(shadow, shadow.candidate, onDisk)
    : stay(shadow)

interface Bar {
  readonly reason: DeploymentReason
  readonly detail: string
}

const barOf = ({ version, sha256 }: InstalledVersion, { serving, quarantined }: Beside): Bar | undefined => {
  if (quarantined.includes(sha256)) {
    return { reason: 'QUARANTINED', detail: 'this digest is never run again here' }
  }
  return serving.includes(sha256)
    ? { reason: 'SUPERSEDED', detail: `version ${version} serves here, or is about to` }
    : undefined
}

const beginUnlessBarred = (
  shadow: Shadow,
  candidate: InstalledVersion,
  onDisk: boolean,
  beside: Beside,
): ShadowStep => {
  const bar = barOf(candidate, beside)
  if (bar === undefined) return begin(shadow, candidate, onDisk)
  const { attempt } = shadow
  return refuse({ state: 'none', attempt }, candidate, bar.reason, bar.detail)
}

const begin = ({ attempt }: Shadow, candidate: InstalledVersion, onDisk: boolean): ShadowStep => {
  const begun = { candidate, attempt: attempt + 1, fetchRounds: 0, crashes: 0, stopped: false }
  if (onDisk) return verify({ state: 'verifying', ...begun })
  const fetching: ShadowUnderWay = { state: 'fetching', ...begun }
  return { shadow: fetching, effects: [fetchEffect(fetching)] }
}

const answer = (
  shadow: Shadow,
  event: Extract<ShadowEvent, { kind: 'fetched' | 'verified' | 'warmed' | 'failed' }>,
): ShadowStep => {
  if (shadow.state === 'none' || shadow.state === 'refused' || shadow.state === 'running') return stay(shadow)
  if (event.attempt !== shadow.attempt) return stay(shadow)
  if (event.kind === 'failed') return fail(shadow, event.reason, event.detail)
  const { attempt, candidate } = shadow
  if (shadow.state === 'fetching') return event.kind === 'fetched' ? verify(shadow) : stay(shadow)
  if (shadow.state === 'verifying') {
    return event.kind === 'verified'
      ? {
          shadow: { ...shadow, state: 'warming' },
          effects: [{ kind: 'warm', attempt, candidate, timed: true }],
        }
      : stay(shadow)
  }
  return event.kind === 'warmed'
    ? { shadow: { ...shadow, state: 'running' }, effects: [{ kind: 'run', candidate }] }
    : stay(shadow)
}

const fail = (shadow: ShadowUnderWay, reason: DeploymentReason, detail: string): ShadowStep => {
  const fetchRounds = shadow.fetchRounds + 1
  if (reason === 'FETCH_FAILED' && fetchRounds < shadowLimits.fetchRoundsMax) {
    const again = { ...shadow, fetchRounds }
    return { shadow: again, effects: [fetchEffect(again)] }
  }
  const refused = refuse(shadow, shadow.candidate, reason, detail)
  if (reason !== 'DIGEST_MISMATCH') return refused
  const setAside = { kind: 'setAside', sha256: shadow.candidate.sha256, what: 'artifact' } as const
  return { ...refused, effects: [...refused.effects, setAside] }
}

/** Says no to a candidate, whatever was under way before. */
const refuse = (
  shadow: Shadow,
  candidate: InstalledVersion,
  reason: DeploymentReason,
  detail: string,
): ShadowStep => {
  const { attempt } = shadow
  const refused = { state: 'refused', candidate, attempt, reason, detail: detail.slice(0, 500) } as const
  const isSame = shadow.state !== 'none' && shadow.candidate.sha256 === candidate.sha256
  // A file that may still be needed keeps what was brought of it.
  const effects = shadow.state === 'none' ? [] : leave(shadow, isSame && isPassing(refused))
  // What serves by now is good news.
  const alarm = { kind: 'alarm', candidate, reason, detail: refused.detail } as const
  return { shadow: refused, effects: reason === 'SUPERSEDED' ? effects : [...effects, alarm] }
}

/** What ends with a shadow: its work, its runs, its file. */
const leave = (shadow: Exclude<Shadow, { state: 'none' }>, keepFile = false): ShadowEffect[] => {
  const effects: ShadowEffect[] = []
  if (shadow.state === 'running') effects.push({ kind: 'rest' })
  else if (shadow.state !== 'refused') effects.push({ kind: 'abandon', attempt: shadow.attempt })
  if (!keepFile) effects.push({ kind: 'discard', sha256: shadow.candidate.sha256 })
  return effects
}

const verify = (shadow: ShadowUnderWay): ShadowStep => {
  const { attempt, candidate } = shadow
  return {
    shadow: { ...shadow, state: 'verifying' },
    effects: [{ kind: 'verify', attempt, candidate, isNew: true }],
  }
}

/** Loaded: what it does to this process may be its doing. */
const isExposed = (shadow: Shadow): shadow is Extract<Shadow, { state: 'warming' | 'running' }> =>
  shadow.state === 'warming' || shadow.state === 'running'

const fetchEffect = ({ attempt, candidate, fetchRounds }: ShadowUnderWay): ShadowEffect => ({
  kind: 'fetch',
  attempt,
  candidate,
  round: fetchRounds,
})
