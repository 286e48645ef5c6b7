/** Birth, death and the state an agent says it is in. */

import { z } from 'zod'
import { epochMsSchema, headerSchema, nameSchema, sha256Schema } from './header.ts'

export const presenceSchema = headerSchema.extend({
  state: z.enum(['online', 'offline']),
  /** New with every start of the agent's process: tells a restart from a reconnect. */
  bootId: z.string().min(1).max(64),
  agentVersion: z.string().max(64),
  /** `shadow`: runs challengers beside the champion. Only then is an assignment of mode `shadow` understood. */
  capabilities: z.array(z.string().max(64)).max(64),
  at: epochMsSchema,
})
export type Presence = z.infer<typeof presenceSchema>

/** Why an agent did not move to a version (protocol.md, "The deployment machine"). */
export const deploymentReasons = [
  'FETCH_FAILED',
  'TOO_LARGE',
  'NO_SPACE',
  'BAD_SIGNATURE',
  'UNKNOWN_KEY',
  'BAD_DIGEST',
  'DIGEST_MISMATCH',
  'STALE_RELEASE',
  'CONTRACT_MISMATCH',
  'GOLDEN_MISMATCH',
  'LOAD_FAILED',
  'LATENCY',
  'ACCURACY',
  'CRASHED',
  'SUPERSEDED',
  'REPLAYED',
  'EXPIRED',
  'WRONG_TARGET',
  'QUARANTINED',
  'PINNED',
  'MALFORMED',
  'SHADOW_ONLY',
] as const
export type DeploymentReason = (typeof deploymentReasons)[number]

export const deploymentPhases = ['idle', 'fetching', 'verifying', 'warming', 'probation'] as const
export type DeploymentPhase = (typeof deploymentPhases)[number]

export const installedVersionSchema = z.object({
  version: z.number().int().min(1),
  release: z.number().int().min(1),
  sha256: sha256Schema,
})
export type InstalledVersion = z.infer<typeof installedVersionSchema>

/** What happened to the latest version that this agent was told, or chose, to move to. */
export const deploymentOutcomeSchema = z.object({
  version: z.number().int().min(1),
  sha256: sha256Schema,
  state: z.enum(['committed', 'refused', 'rolled-back']),
  reason: z.enum(deploymentReasons).nullable(),
  detail: z.string().max(500),
  /** Real time of the agent's own steps, in milliseconds; absent where a step did not run. */
  durationsMs: z.object({
    fetch: z.number().min(0).optional(),
    verify: z.number().min(0).optional(),
    swap: z.number().min(0).optional(),
  }),
  at: epochMsSchema,
})
export type DeploymentOutcome = z.infer<typeof deploymentOutcomeSchema>

export const shadowStates = ['fetching', 'verifying', 'warming', 'running', 'refused'] as const
export type ShadowState = (typeof shadowStates)[number]

/** A challenger that runs beside the champion and answers nobody; `reason` says why it was refused. */
export const reportedShadowSchema = installedVersionSchema.extend({
  state: z.enum(shadowStates),
  reason: z.enum(deploymentReasons).nullable(),
  detail: z.string().max(500),
})
export type ReportedShadow = z.infer<typeof reportedShadowSchema>

export const reportedModelSchema = z.object({
  phase: z.enum(deploymentPhases),
  /** The version that answers forecasts now; null before the first one. */
  active: installedVersionSchema.nullable(),
  previous: installedVersionSchema.nullable(),
  challenger: installedVersionSchema.nullable(),
  /** Set by a technician: new assignments wait until someone unpins. */
  pinned: z.boolean(),
  /** Highest release accepted: an older manifest is stale. */
  releaseMax: z.number().int().min(0),
  quarantined: z.array(sha256Schema).max(64),
  outcome: deploymentOutcomeSchema.nullable(),
  /** Absent where the agent knows no shadow. */
  shadow: reportedShadowSchema.nullable().optional(),
})
export type ReportedModel = z.infer<typeof reportedModelSchema>

export const reportedSchema = headerSchema.extend({
  bootId: z.string().min(1).max(64),
  agentVersion: z.string().max(64),
  at: epochMsSchema,
  /** Counter of the last accepted `desired`, and version of the trust root in force. */
  desiredCounter: z.number().int().min(0),
  rootVersion: z.number().int().min(0),
  backlog: z.object({
    batches: z.number().int().min(0),
    bytes: z.number().int().min(0),
    readings: z.number().int().min(0),
    /** Readings dropped because the disk quota was reached, since the outbox was made. */
    dropped: z.number().int().min(0),
    /**
     * Of those, readings that were history when they came, recent ones, and what the disk had damaged; beside them,
     * alarms.
     */
    droppedByClass: z
      .object({
        alarm: z.number().int().min(0),
        recent: z.number().int().min(0),
        old: z.number().int().min(0),
        damaged: z.number().int().min(0),
      })
      .optional(),
    oldestAt: epochMsSchema.nullable(),
  }),
  models: z.record(nameSchema, reportedModelSchema),
  /** Models that the factory version (seasonal naive, part of the agent) answers; absent where the agent has none. */
  factory: z.array(nameSchema).max(64).optional(),
})
export type Reported = z.infer<typeof reportedSchema>

export const alarmKinds = [
  'deployment',
  'latency',
  'drift',
  'accuracy',
  'storage',
  'readings',
  'security',
] as const

export const alarmSchema = headerSchema.extend({
  id: z.string().min(1).max(64),
  model: nameSchema.nullable(),
  version: z.number().int().min(1).nullable(),
  kind: z.enum(alarmKinds),
  level: z.enum(['watch', 'act']),
  value: z.union([z.number(), z.string().max(500)]).nullable(),
  limit: z.union([z.number(), z.string().max(500)]).nullable(),
  /** What was seen; `code` is a refusal's code where there is one. */
  evidence: z.record(z.string(), z.union([z.string().max(500), z.number(), z.boolean(), z.null()])),
  at: epochMsSchema,
})
export type Alarm = z.infer<typeof alarmSchema>
