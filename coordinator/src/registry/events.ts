/**
 * Everything that ever happened to a model, as facts that are only ever appended. Versions, the champion, lineage
 * and deployments are views over these facts; nothing else is a source of truth.
 */

import { z } from 'zod'
import { deploymentReasons, epochMsSchema, nameSchema, sha256Schema } from '@imlma/protocol/wire'
import { triggerKinds } from '@imlma/protocol/manifest'
import { accessEvents } from './access-events.ts'
import { envelopeSchema } from '@imlma/protocol/trust'

const evidence = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
const version = z.number().int().min(1)
const run = z.string().min(1).max(64)
const window = z.object({ start: epochMsSchema, end: epochMsSchema })

export const triggerSchema = z.object({ kind: z.enum(triggerKinds), evidence, at: epochMsSchema })
export type Trigger = z.infer<typeof triggerSchema>

/** One condition of the gate with the numbers it was judged by. */
export const checkSchema = z.object({
  name: z.string().min(1).max(64),
  passed: z.boolean(),
  champion: z.number().nullable(),
  challenger: z.number().nullable(),
  detail: z.string().max(500),
  /** What the check worked out besides: statistic, p, effect, limits; null where it was no number. */
  numbers: z.record(z.string().max(128), z.number().nullable()).optional(),
})
export type Check = z.infer<typeof checkSchema>

/** `superseded`: the champion that it was compared with is champion no more. */
export const shadowEnds = ['promoted', 'rejected', 'expired', 'superseded'] as const

export const verdicts = ['promote', 'reject', 'inconclusive'] as const

/** What the gate measured; null where it was no number (a forecast of NaN or infinity, actuals that do not vary). */
const judgedMetricsSchema = z.object({
  mse: z.number().nullable(),
  mae: z.number().nullable(),
  r2: z.number().nullable(),
})

export const decisionSchema = z.object({
  verdict: z.enum(verdicts),
  reasons: z.array(z.string().max(500)),
  checks: z.array(checkSchema),
  /** Same rows for both; later than the training data of both. */
  window,
  rows: z.number().int().min(0),
  /** `version` is null where the seasonal-naive baseline stands in for a champion that does not exist yet. */
  champion: judgedMetricsSchema.extend({ version: version.nullable(), learner: z.string() }),
  challenger: judgedMetricsSchema,
  /** Of an inconclusive one: does the version go on in shadow, beside the champion, and why (not)? */
  shadow: z.object({ enters: z.boolean(), detail: z.string().max(500) }).optional(),
})
export type Decision = z.infer<typeof decisionSchema>

const readingCount = z.number().int().min(0)
/** Slots by what became of them; `flagged` by quality check, a slot that failed several is counted at each. */
const qualityCountsSchema = z.object({
  expected: readingCount,
  trainable: readingCount,
  notTrainable: readingCount,
  flagged: z.record(z.string().max(32), readingCount),
})
export const datasetQualitySchema = qualityCountsSchema.extend({
  /** The worst ones, worst first; `seriesFlagged` says how many there are. */
  series: z
    .array(qualityCountsSchema.extend({ meter: z.string(), register: z.string(), leftOut: z.boolean() }))
    .max(20),
  seriesFlagged: readingCount,
})
export type DatasetQuality = z.infer<typeof datasetQualitySchema>

/**
 * The signed batches among which a dataset's readings came: the first `batches` that were stored of the agent, and the head of
 * the chain over them. `verifyProvenance` recomputes it from the store of readings.
 */
export const signedBatchesSchema = z.object({
  batches: z.number().int().min(1),
  firstSeq: z.number().int(),
  lastSeq: z.number().int(),
  keyids: z.array(sha256Schema).max(256),
  head: sha256Schema,
})

const provenanceSchema = z.object({
  agent: z.string(),
  firstSeq: z.number().int(),
  lastSeq: z.number().int(),
  /** Not there for an agent of an open site. */
  signed: signedBatchesSchema.optional(),
})

const datasetSchema = z.object({
  sha256: sha256Schema,
  bytes: z.number().int().min(0),
  series: z.number().int().min(0),
  readings: z.number().int().min(0),
  window,
  trainEnd: epochMsSchema,
  evaluation: window,
  provenance: z.array(provenanceSchema),
  /** Targets and covariates; datasets that were frozen before there were checks have none. */
  quality: datasetQualitySchema.optional(),
})
export type DatasetRecord = z.infer<typeof datasetSchema>

const durationMs = z.number().min(0)

export const registryEventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('retraining-triggered'), model: nameSchema, run, trigger: triggerSchema }),
  z.object({ kind: z.literal('dataset-frozen'), model: nameSchema, run, dataset: datasetSchema }),
  z.object({
    kind: z.literal('run-failed'),
    model: nameSchema,
    run,
    code: z.string().max(64),
    message: z.string().max(1_000),
    hint: z.string().max(1_000),
  }),
  z.object({
    kind: z.literal('version-trained'),
    model: nameSchema,
    run,
    version,
    parent: version.nullable(),
    learner: z.string(),
    parameters: z.record(z.string(), z.unknown()),
    seed: z.number().int(),
    codeVersion: z.string(),
    study: z.string().nullable(),
    datasetSha256: sha256Schema,
    /** Training examples (windows). */
    rows: z.number().int().min(0),
    artifact: z.object({ sha256: sha256Schema, bytes: z.number().int().min(1) }),
    /** The trainer's record of it (contract, golden vectors, reference profile) in the artifact store. */
    candidateSha256: sha256Schema,
    seconds: z.number().min(0),
  }),
  z.object({ kind: z.literal('version-decided'), model: nameSchema, run, version, decision: decisionSchema }),
  z.object({
    kind: z.literal('version-signed'),
    model: nameSchema,
    version,
    release: z.number().int().min(1),
    keyid: sha256Schema,
    /** SHA-256 of the envelope's bytes, under which the artifact store keeps it. */
    envelopeSha256: sha256Schema,
  }),
  /** Signed for the shadow alone, with a release of its own; agents may run it beside this champion. */
  z.object({
    kind: z.literal('shadow-started'),
    model: nameSchema,
    run,
    version,
    champion: version,
    release: z.number().int().min(1),
    keyid: sha256Schema,
    envelopeSha256: sha256Schema,
  }),
  /** `promoted` opens the run again, at the signature. */
  z.object({
    kind: z.literal('shadow-ended'),
    model: nameSchema,
    run,
    version,
    reason: z.enum(shadowEnds),
    evidence,
  }),
  z.object({ kind: z.literal('version-assigned'), model: nameSchema, version, agents: z.array(z.string()) }),
  z.object({
    kind: z.literal('version-deployed'),
    model: nameSchema,
    version,
    agent: z.string(),
    state: z.enum(['committed', 'refused', 'rolled-back']),
    reason: z.enum(deploymentReasons).nullable(),
    detail: z.string().max(500),
    durationsMs: z.object({
      fetch: durationMs.optional(),
      verify: durationMs.optional(),
      swap: durationMs.optional(),
    }),
  }),
  /** Update delay of a run, once every online agent has reached its final state. */
  z.object({
    kind: z.literal('run-completed'),
    model: nameSchema,
    run,
    version,
    delayMs: z.object({
      detect: durationMs,
      queue: durationMs,
      train: durationMs,
      gate: durationMs,
      sign: durationMs.nullable(),
      publish: durationMs.nullable(),
      fetch: durationMs.nullable(),
      verify: durationMs.nullable(),
      swap: durationMs.nullable(),
      /** The newcomer on live inputs until it committed, and the report of it; events of earlier programs lack it. */
      probation: durationMs.nullable().optional(),
      total: durationMs,
    }),
  }),
  z.object({
    kind: z.literal('command-seen'),
    agent: z.string(),
    model: nameSchema.nullable(),
    commandId: nameSchema,
    operation: z.string().max(32),
    state: z.string().max(32),
    code: z.string().max(64).nullable(),
    detail: z.string().max(500),
  }),
  z.object({
    kind: z.literal('pin-changed'),
    agent: z.string(),
    model: nameSchema,
    pinned: z.boolean(),
    version: version.nullable(),
  }),
  z.object({
    kind: z.literal('alert-raised'),
    id: z.string().max(64),
    source: z.string().max(64),
    agent: z.string().nullable(),
    model: nameSchema.nullable(),
    version: version.nullable(),
    alert: z.string().max(64),
    level: z.enum(['watch', 'act']),
    evidence,
  }),
  ...accessEvents,
  /** An assignment as it was signed; `digest` is the SHA-256 of the signed payload, which the agent records as well. */
  z.object({
    kind: z.literal('desired-sealed'),
    agent: nameSchema,
    counter: z.number().int().min(1),
    digest: sha256Schema,
    keyid: sha256Schema,
  }),
  /** The copy of an agent's own log has reached this entry; `keyid` signed the place, null where nobody did. */
  z.object({
    kind: z.literal('agent-log-kept'),
    agent: nameSchema,
    log: nameSchema,
    entry: z.number().int().min(0),
    head: sha256Schema,
    keyid: sha256Schema.nullable(),
  }),
  /** A key says where this chain stood: `seq` and `head` of an event before this one. */
  z.object({
    kind: z.literal('checkpoint-signed'),
    seq: z.number().int().min(1),
    head: sha256Schema,
    keyid: sha256Schema,
    envelope: envelopeSchema,
  }),
  /** The control centre started with other settings than the time before; `changed` names them. */
  z.object({
    kind: z.literal('setting-changed'),
    digest: sha256Schema,
    previous: sha256Schema.nullable(),
    changed: z.array(z.string().max(64)).max(64),
  }),
  /** A file was handed in, under the hash that its bytes have. */
  z.object({
    kind: z.literal('upload'),
    sha256: sha256Schema,
    bytes: z.number().int().min(0),
    by: z.string().max(100),
  }),
  /** Batches of readings that were not taken since the last such event, by code. */
  z.object({ kind: z.literal('readings-refused'), batches: z.record(z.string().max(64), readingCount) }),
  z.object({
    kind: z.literal('root-accepted'),
    version: z.number().int().min(1),
    envelopeSha256: sha256Schema,
  }),
])
export type RegistryEvent = z.infer<typeof registryEventSchema>

/** An event with its place in the chain: `hash` covers `previousHash`, `seq`, `at` and the canonical event. */
export interface ChainedEvent {
  readonly seq: number
  readonly at: number
  readonly event: RegistryEvent
  readonly previousHash: string
  readonly hash: string
}
