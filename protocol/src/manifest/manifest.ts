/**
 * What the release key signs: one version of one model, complete enough that an agent needs nobody else
 * to decide whether it may serve it.
 */

import { z } from 'zod'
import { featureSpecSchema } from '../features/index.ts'
import { limits } from '../limits.ts'
import { epochMsSchema, headerSchema, nameSchema, sha256Schema } from '../wire/header.ts'
import { histogramSchema } from '../wire/report.ts'
import { quantilesSchema } from './quantiles.ts'

export const manifestPayloadType = 'application/vnd.imlma.manifest+json'

/** A tensor's name and shape; `null` is the batch dimension. */
const tensorSchema = z.object({
  name: z.string().min(1).max(64),
  type: z.literal('float32'),
  shape: z.array(z.number().int().min(1).nullable()).min(1).max(4),
})

/** What goes in, what comes out, and which series it fits. */
export const contractSchema = z.object({
  task: z.literal('forecast'),
  /** What is forecast, in words: `active energy`. */
  quantity: z.string().min(1).max(64),
  /** Unit of the forecast and of the readings. */
  unit: z.string().min(1).max(16),
  /** Series with this register are forecast. */
  register: z.string().min(1).max(64),
  /** Milliseconds from one reading, and one forecast step, to the next. */
  intervalMs: z.number().int().min(limits.intervalMsMin).max(limits.intervalMsMax),
  contextLength: z.number().int().min(1).max(limits.contextLengthMax),
  /** Steps that are forecast. */
  horizon: z.number().int().min(1).max(limits.horizonMax),
  inputs: z.array(tensorSchema).length(1),
  /** The forecast, and where there are `quantiles` those of every step: [batch, Q, H]. */
  outputs: z.array(tensorSchema).min(1).max(2),
  /** Probabilities of the second output, ascending. */
  quantiles: quantilesSchema.min(1).optional(),
  features: featureSpecSchema,
})
export type Contract = z.infer<typeof contractSchema>

/** Little-endian float32 in base64: the exact bits, which decimal text would not promise. */
export const float32Base64Schema = z.base64().max(limits.featuresMax * 6)

const goldenSchema = z.object({
  /** Largest |difference| allowed, relative to max(1, |output|). */
  tolerance: z.number().positive().max(0.01),
  /** One row each: `input` holds the features, `output` the forecast, `quantiles` (Q × H) may be left out of some. */
  vectors: z
    .array(
      z.object({
        input: float32Base64Schema,
        output: float32Base64Schema,
        quantiles: float32Base64Schema.optional(),
      }),
    )
    .min(limits.goldenVectorsMin)
    .max(limits.goldenVectorsMax),
})

/** MSE, MAE and R² on a hold-out; R² is null where the actuals do not vary. */
export const metricsSchema = z.object({ mse: z.number(), mae: z.number(), r2: z.number().nullable() })

const referenceSchema = z.object({
  inputs: z.record(
    z.string().max(64),
    z.object({ histogram: histogramSchema, rows: z.number().int().min(0) }),
  ),
  residuals: z.object({ histogram: histogramSchema, rows: z.number().int().min(0) }),
  holdOut: metricsSchema,
  /** p99 of one forecast run on a gateway. */
  latencyMsBudget: z.number().positive(),
})

export const triggerKinds = ['volume', 'interval', 'drift', 'manual'] as const

const lineageSchema = z.object({
  parent: z.number().int().min(1).nullable(),
  datasetSha256: sha256Schema,
  study: z.string().max(128).nullable(),
  trigger: z.object({
    kind: z.enum(triggerKinds),
    evidence: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  }),
  learner: z.string().min(1).max(64),
  parameters: z.record(z.string(), z.unknown()),
  codeVersion: z.string().max(64),
  seed: z.number().int(),
})

export const manifestSchema = headerSchema.extend({
  model: nameSchema,
  version: z.number().int().min(1),
  /** Grows by one with every manifest of a model: an agent refuses a lower one than it has accepted. */
  release: z.number().int().min(1),
  createdAt: epochMsSchema,
  /**
   * `shadow`: may run beside the champion only, and never answer. Signed, so that a stolen director key cannot promote
   * what the gate left undecided; the promotion is a manifest of a later release without it.
   */
  mode: z.literal('shadow').optional(),
  artifact: z.object({
    sha256: sha256Schema,
    bytes: z.number().int().min(1).max(limits.artifactBytesMax),
  }),
  contract: contractSchema,
  golden: goldenSchema,
  reference: referenceSchema,
  lineage: lineageSchema,
  /** The gate's record, as it decided. */
  decision: z.record(z.string(), z.unknown()),
})
export type Manifest = z.infer<typeof manifestSchema>
