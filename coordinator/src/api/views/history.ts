/** What people see of the past: rounds of training, every event in a sentence, the state of the chain and of the house. */

import { z } from 'zod'
import { registryEventSchema, verdicts } from '../../registry/events.ts'
import {
  count,
  delaySchema,
  epochMsSchema,
  figuresSchema,
  nameSchema,
  sha256Schema,
  triggerViewSchema,
  versionNumberSchema,
  windowSchema,
} from './common.ts'

/** One training run from its trigger to the last agent. */
export const roundViewSchema = z
  .object({
    run: z.string(),
    model: nameSchema,
    state: z.enum(['running', 'decided', 'completed', 'failed']),
    trigger: triggerViewSchema,
    version: versionNumberSchema.nullable(),
    datasetSha256: sha256Schema.nullable(),
    readings: count.nullable(),
    /** Training examples. */
    rows: count.nullable(),
    learner: z.string().nullable(),
    parameters: z.record(z.string(), z.unknown()),
    window: windowSchema.nullable(),
    champion: figuresSchema
      .extend({ version: versionNumberSchema.nullable(), learner: z.string() })
      .nullable(),
    challenger: figuresSchema.nullable(),
    verdict: z.enum(verdicts).nullable(),
    reasons: z.array(z.string()),
    delayMs: delaySchema.nullable(),
    failure: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
  })
  .meta({ id: 'Round' })
export type RoundView = z.infer<typeof roundViewSchema>

export const auditEventViewSchema = z
  .object({
    seq: count,
    at: epochMsSchema,
    kind: z.string(),
    model: z.string().nullable(),
    agent: z.string().nullable(),
    version: versionNumberSchema.nullable(),
    /** `note` is the ordinary course; `good` a version promoted or served; `watch` and `act` want a person. */
    tone: z.enum(['note', 'good', 'watch', 'act']),
    sentence: z.string(),
    event: registryEventSchema,
    previousHash: z.string(),
    hash: z.string(),
  })
  .meta({ id: 'AuditEvent' })
export type AuditEventView = z.infer<typeof auditEventViewSchema>

export const chainViewSchema = z
  .object({
    intact: z.boolean(),
    events: count,
    headHash: z.string().nullable(),
    /** What is wrong, where the chain is not intact. */
    fault: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'Chain' })
export type ChainView = z.infer<typeof chainViewSchema>

export const healthViewSchema = z
  .object({
    status: z.enum(['ok', 'degraded']),
    /** What is degraded, in words; empty when nothing is. */
    problems: z.array(z.string()),
    version: z.string(),
    site: nameSchema,
    startedAt: epochMsSchema,
    now: epochMsSchema,
    broker: z.object({ url: z.string(), connected: z.boolean() }),
    /** Time of the newest stored reading (event time), null before the first. */
    readingsAt: epochMsSchema.nullable(),
    /** Highest event of the registry. */
    seq: count,
    agentsOnline: count,
    agentsKnown: count,
  })
  .meta({ id: 'Health' })
export type HealthView = z.infer<typeof healthViewSchema>

/** All that somebody learns who is not logged in. */
export const livenessViewSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Liveness' })
