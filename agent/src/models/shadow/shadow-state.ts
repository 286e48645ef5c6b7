/**
 * The values of the shadow machine: where the challenger stands that one model runs beside its champion, what can happen
 * to it, and what its shell is to do about it. `shadow.ts` says how one leads to the next. What is schema here is also
 * what is on disk.
 */

import { z } from 'zod'
import { deploymentReasons, installedVersionSchema } from '@imlma/protocol/wire'
import type { DeploymentReason, InstalledVersion, ReportedShadow } from '@imlma/protocol/wire'
import type { Answer, Deployment, Effect } from '../deployment-state.ts'

/** The machine's own bounds, with their reasons. */
export const shadowLimits = {
  /** As for a deployment: one round has its own retries for each chunk. */
  fetchRoundsMax: 5,
  /** Starts that found the same challenger warming or running, without a stop before them. */
  crashesMax: 3,
  /** Runs after a start that clear it of earlier crashes: a day of quarter hours. A power cut a month is nobody's fault. */
  settledRuns: 96,
} as const

const standing = {
  candidate: installedVersionSchema,
  /** New with every attempt of this model: an answer to an older one is recognised and ignored. */
  attempt: z.number().int().min(0),
}

const underWay = {
  ...standing,
  fetchRounds: z.number().int().min(0),
  crashes: z.number().int().min(0),
  /** The agent was stopped in order: the next start is no crash. */
  stopped: z.boolean(),
}

export const shadowSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('none'), attempt: standing.attempt }),
  z.object({ state: z.literal('fetching'), ...underWay }),
  z.object({ state: z.literal('verifying'), ...underWay }),
  z.object({ state: z.literal('warming'), ...underWay }),
  z.object({ state: z.literal('running'), ...underWay }),
  z.object({
    state: z.literal('refused'),
    ...standing,
    reason: z.enum(deploymentReasons),
    detail: z.string().max(500),
  }),
])
export type Shadow = Readonly<z.infer<typeof shadowSchema>>
export type ShadowUnderWay = Exclude<Shadow, { state: 'none' | 'refused' }>
export type ShadowRefused = Extract<Shadow, { state: 'refused' }>

/** A model that runs nothing in shadow. */
export const noShadow: Shadow = { state: 'none', attempt: 0 }

/** What the shadow machine must know of the deployment beside it. */
export interface Beside {
  /** Digests that serve or are on their way to it: they need no shadow. */
  readonly serving: readonly string[]
  readonly quarantined: readonly string[]
  /** The deployment was trying a version of its own at the last stop: a crash is rather that one's doing. */
  readonly trying: boolean
}

/** `found`: the deployment as the last stop left it, where that is another one. */
export const toBeside = (state: Deployment, found = state): Beside => {
  const challenger = state.phase === 'idle' ? null : state.attempt.challenger
  return {
    serving: [state.champion, challenger].flatMap((version) => (version === null ? [] : [version.sha256])),
    quarantined: state.quarantined,
    trying: found.phase === 'warming' || found.phase === 'probation',
  }
}

export type ShadowEvent =
  /** The director names it (verified); `onDisk`: its file is there and has its digest. */
  | { readonly kind: 'told'; readonly candidate: InstalledVersion; readonly onDisk: boolean }
  /** The director names it, and its manifest is not believed. */
  | Verdict<'declined'>
  /** The director names none any more. */
  | { readonly kind: 'dismissed' }
  /** The deployment beside it has moved. */
  | { readonly kind: 'looked' }
  | { readonly kind: 'connected' }
  /** It has run long enough since the start. */
  | { readonly kind: 'settled'; readonly attempt: number }
  /** The agent stops in order. */
  | { readonly kind: 'stopped' }
  | Exclude<Answer, { kind: 'healthy' }>

interface Verdict<Kind extends string> {
  readonly kind: Kind
  readonly candidate: InstalledVersion
  readonly reason: DeploymentReason
  readonly detail: string
}

export type ShadowEffect =
  | Extract<Effect, { kind: 'fetch' | 'verify' | 'warm' | 'abandon' | 'setAside' | 'quarantine' | 'alarm' }>
  /** From now on this loaded version runs beside the champion. */
  | { readonly kind: 'run'; readonly candidate: InstalledVersion }
  /** Nothing runs beside the champion any more. */
  | { readonly kind: 'rest' }
  /** What was only for the shadow goes from disk; what a technician may still want stays. */
  | { readonly kind: 'discard'; readonly sha256: string }

export interface ShadowStep {
  readonly shadow: Shadow
  readonly effects: readonly ShadowEffect[]
}

/** Reasons that pass by themselves: the next connect tries again. A file that was damaged can be brought again. */
export const isPassing = ({ reason }: ShadowRefused): boolean =>
  ['FETCH_FAILED', 'NO_SPACE', 'DIGEST_MISMATCH', 'SUPERSEDED'].includes(reason)

/** The digest whose files must stay on disk. */
export const neededDigest = (shadow: Shadow): string | undefined =>
  shadow.state === 'none' || (shadow.state === 'refused' && !isPassing(shadow))
    ? undefined
    : shadow.candidate.sha256

/** The digest whose session must stay loaded. */
export const loadedDigest = (shadow: Shadow): string | undefined =>
  shadow.state === 'warming' || shadow.state === 'running' ? shadow.candidate.sha256 : undefined

export const toReportedShadow = (shadow: Shadow): ReportedShadow | null => {
  if (shadow.state === 'none') return null
  const { candidate, state } = shadow
  return state === 'refused'
    ? { ...candidate, state, reason: shadow.reason, detail: shadow.detail }
    : { ...candidate, state, reason: null, detail: '' }
}
