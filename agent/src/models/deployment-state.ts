/**
 * The values of the deployment machine: where one model of this agent stands, what can happen to it, and what its
 * shell is to do about it. `deployment.ts` says how one leads to the next. What is schema here is also what is on disk.
 */

import { z } from 'zod'
import {
  deploymentOutcomeSchema,
  installedVersionSchema,
  nameSchema,
  sha256Schema,
} from '@imlma/protocol/wire'
import type { DeploymentReason, InstalledVersion } from '@imlma/protocol/wire'

/** The machine's own bounds, with their reasons. */
export const deploymentLimits = {
  /** Rounds of a fetch before it gives up until the next connect; one round has its own retries for each chunk. */
  fetchRoundsMax: 5,
  /** Starts of the agent that found the same challenger warming or on probation. One may be a power cut; three are not. */
  crashesMax: 3,
  /** Digests never to be served again, oldest forgotten first: as many as `reported` may carry. */
  quarantinedMax: 64,
} as const

const durationsSchema = deploymentOutcomeSchema.shape.durationsMs

/** Who wanted the move. A repair brings back a committed version whose file was damaged. */
const originSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('assignment') }),
  z.object({ kind: z.literal('rollback'), commandId: nameSchema }),
  z.object({ kind: z.literal('repair') }),
])
export type Origin = z.infer<typeof originSchema>

/** A version to move to. `onDisk`: its file was there and had its digest when it was named. */
const assignmentSchema = z.object({
  candidate: installedVersionSchema,
  onDisk: z.boolean(),
  origin: originSchema,
})
export type Assignment = Readonly<z.infer<typeof assignmentSchema>>

const attemptSchema = z.object({
  /** New with every attempt of this model: an answer to an older one is recognised and ignored. */
  number: z.number().int().min(1),
  challenger: installedVersionSchema,
  origin: originSchema,
  fetchRounds: z.number().int().min(0),
  crashes: z.number().int().min(0),
  /** The agent was stopped in order while it was tried: the next start is no crash. */
  stopped: z.boolean().default(false),
  durationsMs: durationsSchema,
})

const standing = {
  /** The committed version; null before the first one. */
  champion: installedVersionSchema.nullable(),
  /** True once the champion of this state is loaded since the last start: it answers, or is ready to take over. */
  championLoaded: z.boolean(),
  previous: installedVersionSchema.nullable(),
  pinned: z.boolean(),
  /** The newest assignment that could not be followed yet: pinned, or its bytes did not come. */
  waiting: assignmentSchema.nullable(),
  /** Highest release ever accepted; never falls. */
  releaseMax: z.number().int().min(0),
  quarantined: z.array(sha256Schema).max(deploymentLimits.quarantinedMax),
  /** Number of the latest attempt. */
  attempts: z.number().int().min(0),
  /** For people and the coordinator; no decision reads it. */
  outcome: deploymentOutcomeSchema.nullable(),
}

export const deploymentSchema = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('idle'), ...standing }),
  z.object({ phase: z.literal('fetching'), ...standing, attempt: attemptSchema }),
  z.object({ phase: z.literal('verifying'), ...standing, attempt: attemptSchema }),
  z.object({ phase: z.literal('warming'), ...standing, attempt: attemptSchema }),
  z.object({ phase: z.literal('probation'), ...standing, attempt: attemptSchema }),
])
export type Deployment = Readonly<z.infer<typeof deploymentSchema>>
export type Idle = Extract<Deployment, { phase: 'idle' }>
export type UnderWay = Exclude<Deployment, Idle>

/** A model that this agent has never heard of. */
export const emptyDeployment: Idle = {
  phase: 'idle',
  champion: null,
  championLoaded: false,
  previous: null,
  pinned: false,
  waiting: null,
  releaseMax: 0,
  quarantined: [],
  attempts: 0,
  outcome: null,
}

/** Words from outside: the director's (verified), a technician's (verified), and the link's. */
export type Directive =
  | { readonly kind: 'assigned'; readonly candidate: InstalledVersion; readonly onDisk: boolean }
  /** A document about `candidate` was not believed; what it says of itself is only reported. */
  | Refusal<'declined'>
  | { readonly kind: 'rollback'; readonly candidate: InstalledVersion; readonly commandId: string }
  | { readonly kind: 'pin' }
  | { readonly kind: 'unpin' }
  | { readonly kind: 'quarantine'; readonly sha256: string }
  | { readonly kind: 'connected' }

/** How an effect ended; `attempt` is the number of the attempt that it belonged to. */
export type Answer =
  | Done<'fetched'>
  | Done<'verified'>
  | Done<'warmed'>
  | { readonly kind: 'healthy'; readonly attempt: number }
  | {
      readonly kind: 'failed'
      readonly attempt: number
      readonly reason: DeploymentReason
      readonly detail: string
    }

/** How the restoring of the champion ended, by its digest: it runs beside an attempt. */
export type Restoration =
  | { readonly kind: 'restored'; readonly sha256: string }
  | {
      readonly kind: 'unrestored'
      readonly sha256: string
      readonly reason: DeploymentReason
      readonly detail: string
    }

/** The agent stops in order: a probation of a day outlives many of these. */
export interface Stopped {
  readonly kind: 'stopped'
}

export type DeploymentEvent = Directive | Answer | Restoration | Stopped

interface Done<Kind extends string> {
  readonly kind: Kind
  readonly attempt: number
  readonly durationMs: number
}

interface Refusal<Kind extends string> {
  readonly kind: Kind
  readonly candidate: InstalledVersion
  readonly reason: DeploymentReason
  readonly detail: string
}

export type Effect =
  /** Bring the bytes, resuming what is there. `round` counts from 0; later rounds wait longer. */
  | (Work & { readonly kind: 'fetch'; readonly round: number })
  /** Hash, signature and contract of what is on disk; from now on it may be loaded. `isNew`: its series must fit, too. */
  | (Work & { readonly kind: 'verify'; readonly isNew: boolean })
  /** Hash again, load, golden vectors; `timed` also holds the latency against its budget. */
  | (Work & { readonly kind: 'warm'; readonly timed: boolean })
  /** Watch the runs of the challenger until it is healthy or has failed. */
  | (Work & { readonly kind: 'watch' })
  /** Stop whatever runs for this attempt. */
  | { readonly kind: 'abandon'; readonly attempt: number }
  /** Verify, load and prove the champion (or its stand-in) after a start or a loss. */
  | { readonly kind: 'restore'; readonly candidate: InstalledVersion }
  /** From now on this loaded version answers. */
  | { readonly kind: 'activate'; readonly candidate: InstalledVersion }
  | { readonly kind: 'deactivate' }
  /** A damaged file goes out of the way, so that it can be brought again. */
  | { readonly kind: 'setAside'; readonly sha256: string; readonly what: 'artifact' | 'manifest' }
  /** Never to be served again: the file goes, a mark stays. */
  | { readonly kind: 'quarantine'; readonly sha256: string }
  /** What is not needed any more goes from disk. */
  | { readonly kind: 'prune' }
  | { readonly kind: 'report'; readonly origin: Origin; readonly outcome: NonNullable<Deployment['outcome']> }
  | Refusal<'alarm'>

interface Work {
  readonly attempt: number
  readonly candidate: InstalledVersion
}

export interface Step {
  readonly state: Deployment
  readonly effects: readonly Effect[]
}

/** The version that answers forecasts in this state. */
export const servingOf = (state: Deployment): InstalledVersion | null => {
  if (state.phase === 'probation') return state.attempt.challenger
  return state.championLoaded ? state.champion : null
}

/** What `rollback --to previous` means now: the version that answered before the one that answers. */
export const previousOf = (state: Deployment): InstalledVersion | null =>
  state.phase === 'probation' ? state.champion : state.previous

/** Digests whose files must stay on disk. */
export const neededDigests = (state: Deployment): readonly string[] => {
  const needed = [state.champion, state.previous, state.waiting?.candidate ?? null]
  if (state.phase !== 'idle') needed.push(state.attempt.challenger)
  return [...new Set(needed.flatMap((version) => (version === null ? [] : [version.sha256])))]
}
