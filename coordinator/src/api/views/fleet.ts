/** What people see of the agents: presence, what each serves, its backlog, its alarms, and how a version spreads. */

import { z } from 'zod'
import { alarmSchema, deploymentPhases, shadowStates } from '@imlma/protocol/wire'
import {
  count,
  epochMsSchema,
  evidenceSchema,
  liveSchema,
  nameSchema,
  sha256Schema,
  versionNumberSchema,
} from './common.ts'

const outcomeSchema = z.object({
  version: versionNumberSchema,
  state: z.enum(['committed', 'refused', 'rolled-back']),
  reason: z.string().nullable(),
  detail: z.string(),
  at: epochMsSchema,
})

/** One model on one agent. */
const servedModelSchema = z.object({
  model: nameSchema,
  phase: z.enum(deploymentPhases),
  /** The version that answers forecasts now; null before the first one. */
  version: versionNumberSchema.nullable(),
  sha256: sha256Schema.nullable(),
  previous: versionNumberSchema.nullable(),
  challenger: versionNumberSchema.nullable(),
  pinned: z.boolean(),
  quarantined: count,
  outcome: outcomeSchema.nullable(),
  /** What runs beside it; null without. */
  shadow: z
    .object({
      version: versionNumberSchema,
      state: z.enum(shadowStates),
      reason: z.string().nullable(),
      detail: z.string(),
    })
    .nullable(),
  live: liveSchema.nullable(),
})

const alarmViewSchema = alarmSchema.omit({ v: true }).extend({ agent: z.string() })

export const agentViewSchema = z
  .object({
    site: nameSchema,
    agent: nameSchema,
    presence: z.enum(['online', 'offline', 'unknown']),
    agentVersion: z.string().nullable(),
    /** When the control centre last heard anything of it. */
    heardAt: epochMsSchema,
    rootVersion: count.nullable(),
    backlog: z
      .object({
        batches: count,
        bytes: count,
        readings: count,
        dropped: count,
        oldestAt: epochMsSchema.nullable(),
      })
      .nullable(),
    models: z.array(servedModelSchema),
    /** Latest first. */
    alarms: z.array(alarmViewSchema),
    process: z.object({ residentBytes: z.number(), uptimeS: z.number(), reconnects: count }).nullable(),
  })
  .meta({ id: 'Agent' })
export type AgentView = z.infer<typeof agentViewSchema>

/** Where one version stands on its way through the fleet. */
export const rolloutViewSchema = z
  .object({
    model: nameSchema,
    version: versionNumberSchema,
    assignedAt: epochMsSchema,
    state: z.enum(['moving', 'complete', 'incomplete', 'superseded']),
    agents: z.array(
      z.object({
        agent: z.string(),
        state: z.enum(['assigned', 'committed', 'refused', 'rolled-back']),
        reason: z.string().nullable(),
        detail: z.string(),
        at: epochMsSchema.nullable(),
      }),
    ),
  })
  .meta({ id: 'Rollout' })
export type RolloutView = z.infer<typeof rolloutViewSchema>

export const alertViewSchema = z
  .object({
    seq: count,
    id: z.string(),
    at: epochMsSchema,
    source: z.string(),
    agent: z.string().nullable(),
    model: nameSchema.nullable(),
    version: versionNumberSchema.nullable(),
    alert: z.string(),
    level: z.enum(['watch', 'act']),
    evidence: evidenceSchema,
    sentence: z.string(),
  })
  .meta({ id: 'Alert' })
export type AlertView = z.infer<typeof alertViewSchema>
