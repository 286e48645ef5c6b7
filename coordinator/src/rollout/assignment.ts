/**
 * Which version is each agent to serve, and does it have to be told again? Pure: a rule over what the agent was
 * last told and what it last reported. Waves come with later work; today everybody gets the champion at once.
 */

import type { Reported, ReportedModel } from '@imlma/protocol/wire'
import type { Assignment, AssignedVersion, SignedVersion } from './assigned.ts'
import { withShadow, type AssignedShadow } from './shadow.ts'

/** Reasons that can go away by themselves: the same assignment is worth telling again after a while. */
const passing: readonly string[] = ['FETCH_FAILED', 'NO_SPACE', 'LOAD_FAILED', 'SUPERSEDED', 'EXPIRED']

export interface AssignmentOptions {
  /** Time after which an assignment that failed for a passing reason is told again. */
  readonly retryAfterMs: number
  /** Shortest time between two tellings of the same content: an agent that flaps must not make a loop. */
  readonly repeatAfterMs: number
  /** An assignment is told afresh, with a new expiry, when it is older than this. */
  readonly refreshAfterMs: number
}

export const assignmentDefaults: AssignmentOptions = {
  retryAfterMs: 600_000,
  repeatAfterMs: 2_000,
  refreshAfterMs: 7 * 86_400_000,
}

interface Agent {
  readonly reported: Reported | null
  readonly rootVersion: number
  readonly now: number
  /** Shadows that this agent may run. */
  readonly shadows?: Readonly<Record<string, AssignedShadow>>
}

/** The next assignment, or undefined where what was told still stands. */
export const decideAssignment = (
  told: Assignment | undefined,
  wanted: Readonly<Record<string, SignedVersion>>,
  agent: Agent,
  options: AssignmentOptions = assignmentDefaults,
): Assignment | undefined => {
  const models: Record<string, AssignedVersion> = { ...wanted }
  for (const [name, assigned] of Object.entries(told?.models ?? {})) {
    // A technician's pin outranks the champion: the agent keeps being told what it was told before the pin.
    if (agent.reported?.models[name]?.pinned === true) models[name] = assigned
  }
  for (const [name, assigned] of Object.entries(models)) {
    models[name] = withShadow(assigned, agent.shadows?.[name], agent.reported?.models[name])
  }
  if (Object.keys(models).length === 0) return undefined
  const next: Assignment = {
    counter: nextCounter(told, agent.reported),
    issuedAt: agent.now,
    rootVersion: agent.rootVersion,
    models,
  }
  if (told === undefined || told.rootVersion !== agent.rootVersion) return next
  if (!sameModels(told.models, models)) return next

  const age = agent.now - told.issuedAt
  if (age >= options.refreshAfterMs) return next
  if (age < options.repeatAfterMs || agent.reported === null) return undefined
  if (agent.reported.desiredCounter < told.counter) return undefined
  // It has accepted a word that we never gave, or no longer know of (a restored backup): ours must be the last one.
  if (acceptedCounter(agent.reported) > told.counter) return next
  return Object.entries(models).some(([name, assigned]) => {
    const model = agent.reported?.models[name]
    return (
      model !== undefined &&
      ((strayed(model, assigned) && (age >= options.retryAfterMs || !failed(model, assigned))) ||
        (age >= options.retryAfterMs && isUnlucky(model, assigned.shadow)))
    )
  })
    ? next
    : undefined
}

/**
 * Above everything that was told and everything that the agent says it has accepted: below that, it would refuse us for
 * ever. What it says is not proven, but a wrong number shuts out nobody but itself. A number that no honest counting
 * reaches was signed with a stolen key, and is overcome by a root with another director (`imlma root rotate`), whose
 * counting goes on from what we told.
 */
const nextCounter = (told: Assignment | undefined, reported: Reported | null): number =>
  Math.max(told?.counter ?? 0, acceptedCounter(reported)) + 1

const acceptedCounter = (reported: Reported | null): number => {
  const accepted = reported?.desiredCounter ?? 0
  return accepted > honestCounterMax ? 0 : accepted
}

/** An assignment each millisecond for nine thousand years; leaves room above it to count on. */
const honestCounterMax = 2 ** 48

/** True when the agent has nothing left to do for this version: it serves it, refused it, or is pinned. */
export const isSettled = (reported: Reported | null, assignment: Assignment, model: string): boolean => {
  const assigned = assignment.models[model]
  const state = reported?.models[model]
  if (reported === null || state === undefined || assigned === undefined) return false
  if (reported.desiredCounter < assignment.counter || state.phase !== 'idle') return false
  return state.pinned || state.active?.sha256 === assigned.artifactSha256 || isAbout(state, assigned)
}

const isAbout = ({ outcome }: ReportedModel, assigned: AssignedVersion): boolean =>
  outcome?.sha256 === assigned.artifactSha256

/** Idle and unpinned, yet serving something else: it was rolled back and unpinned, or could not follow. */
const strayed = (state: ReportedModel, assigned: AssignedVersion): boolean =>
  !state.pinned &&
  state.phase === 'idle' &&
  state.active?.sha256 !== assigned.artifactSha256 &&
  !state.quarantined.includes(assigned.artifactSha256) &&
  (!failed(state, assigned) || passing.includes(state.outcome?.reason ?? ''))

/** It tried this very version and it did not work out (a refusal because of a pin is no failure). */
const failed = (state: ReportedModel, assigned: AssignedVersion): boolean =>
  isAbout(state, assigned) && state.outcome?.state !== 'committed' && state.outcome?.reason !== 'PINNED'

/** The shadow could not begin for a reason that can pass. */
const isUnlucky = ({ shadow }: ReportedModel, assigned: SignedVersion | undefined): boolean =>
  shadow?.state === 'refused' &&
  shadow.sha256 === assigned?.artifactSha256 &&
  passing.includes(shadow.reason ?? '')

const sameModels = (a: Assignment['models'], b: Assignment['models']): boolean => {
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every(
      (name) =>
        a[name]?.envelopeSha256 === b[name]?.envelopeSha256 &&
        a[name]?.shadow?.envelopeSha256 === b[name]?.shadow?.envelopeSha256,
    )
  )
}
