/** What people see of a model: its definition, its trigger, its versions and datasets. */

import { z } from 'zod'
import { datasetQualitySchema, decisionSchema, signedBatchesSchema } from '../../registry/events.ts'
import {
  count,
  delaySchema,
  epochMsSchema,
  figuresSchema,
  liveSchema,
  nameSchema,
  sha256Schema,
  triggerViewSchema,
  versionNumberSchema,
  windowSchema,
} from './common.ts'
import { shadowProgressSchema, versionShadowSchema } from './shadow.ts'

const runPhases = [
  'queued',
  'freezing',
  'training',
  'gating',
  'signing',
  'publishing',
  'rolling-out',
] as const

const progressSchema = z.object({
  /** New verified readings since the last training, and how many start the next one. */
  readings: count,
  threshold: count,
  /** Verified readings ever, and the least that a training needs. */
  readingsTotal: count,
  readingsMin: count,
  /** When the interval starts a training, whatever the readings; null without an interval. */
  dueAt: epochMsSchema.nullable(),
  intervalMs: z.number().int().min(1).nullable(),
  lastTrainingAt: epochMsSchema.nullable(),
  /** Nothing starts before; null when nothing cools down. */
  coolDownUntil: epochMsSchema.nullable(),
  /** Why nothing starts on its own at the moment; null when it may. */
  blocked: z.string().nullable(),
})

export const modelViewSchema = z
  .object({
    model: nameSchema,
    definition: z.object({
      quantity: z.string(),
      unit: z.string(),
      register: z.string(),
      intervalMs: z.number().int().min(1),
      /** Past values that a forecast needs; null before the first version decides it. */
      contextLength: z.number().int().min(1).nullable(),
      /** Steps ahead. */
      horizon: z.number().int().min(1),
      learners: z.array(z.string()),
    }),
    versions: count,
    champion: z
      .object({ version: versionNumberSchema, createdAt: epochMsSchema, figures: figuresSchema })
      .nullable(),
    trigger: progressSchema,
    /** The version that runs beside the champion; null without one. */
    shadow: shadowProgressSchema.nullable(),
    /** The training run that is under way. */
    run: z
      .object({
        run: z.string(),
        phase: z.enum(runPhases),
        /** 0 to 1 within the phase; null where it cannot be told. */
        progress: z.number().min(0).max(1).nullable(),
        detail: z.string(),
        startedAt: epochMsSchema,
        trigger: triggerViewSchema,
      })
      .nullable(),
  })
  .meta({ id: 'Model' })
export type ModelView = z.infer<typeof modelViewSchema>

export const datasetViewSchema = z
  .object({
    sha256: sha256Schema,
    bytes: count,
    series: count,
    readings: count,
    window: windowSchema,
    trainEnd: epochMsSchema,
    evaluation: windowSchema,
    provenance: z.array(
      z.object({
        agent: z.string(),
        firstSeq: z.number().int(),
        lastSeq: z.number().int(),
        /** The signed batches behind it, and the head of the chain over them; not there in an open site. */
        signed: signedBatchesSchema.optional(),
      }),
    ),
    /** What the quality checks kept out; not there for datasets older than the checks. */
    quality: datasetQualitySchema.optional(),
  })
  .meta({ id: 'Dataset' })

export const versionViewSchema = z
  .object({
    model: nameSchema,
    version: versionNumberSchema,
    run: z.string(),
    parent: versionNumberSchema.nullable(),
    createdAt: epochMsSchema,
    state: z.enum(['trained', 'promoted', 'rejected', 'inconclusive']),
    /** The latest promoted version of its model. */
    champion: z.boolean(),
    /** Null for a version that never was in shadow. */
    shadow: versionShadowSchema.nullable(),
    trigger: triggerViewSchema,
    dataset: datasetViewSchema,
    learner: z.string(),
    parameters: z.record(z.string(), z.unknown()),
    seed: z.number().int(),
    codeVersion: z.string(),
    study: z.string().nullable(),
    /** Training examples. */
    rows: count,
    trainSeconds: z.number().min(0),
    artifact: z.object({ sha256: sha256Schema, bytes: count }),
    /** On the gate's window; null before the gate has decided. */
    figures: figuresSchema.nullable(),
    decision: decisionSchema.nullable(),
    release: z.number().int().nullable(),
    keyid: sha256Schema.nullable(),
    envelopeSha256: sha256Schema.nullable(),
    deployments: z.array(
      z.object({
        agent: z.string(),
        state: z.enum(['committed', 'refused', 'rolled-back']),
        reason: z.string().nullable(),
        detail: z.string(),
        at: epochMsSchema,
      }),
    ),
    /** Agents that say they serve it now. */
    servedBy: z.array(z.string()),
    live: liveSchema.nullable(),
    delayMs: delaySchema.nullable(),
  })
  .meta({ id: 'Version' })
export type VersionView = z.infer<typeof versionViewSchema>

/** A model from elsewhere that waits for its run. */
export const registrationViewSchema = z
  .object({
    run: z.string(),
    artifactSha256: sha256Schema,
    note: z.string(),
    at: epochMsSchema,
  })
  .meta({ id: 'Registration' })
export type RegistrationView = z.infer<typeof registrationViewSchema>
