/** The pieces that several views share: figures with their sample size, latency, windows of time. */

import { z } from 'zod'
import { triggerKinds } from '@imlma/protocol/manifest'
import { epochMsSchema, nameSchema, sha256Schema } from '@imlma/protocol/wire'

export const versionNumberSchema = z.number().int().min(1)
export const count = z.number().int().min(0)
export const evidenceSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))

/** MSE, MAE and R² over `rows` pairs; null where nothing was counted, `r2` also where the actuals do not vary. */
export const figuresSchema = z.object({
  mse: z.number().nullable(),
  mae: z.number().nullable(),
  r2: z.number().nullable(),
  rows: count,
})
export type Figures = z.infer<typeof figuresSchema>

/** One forecast run, milliseconds. */
const latencySchema = z.object({ p50: z.number(), p95: z.number(), p99: z.number() })

export const windowSchema = z.object({ start: epochMsSchema, end: epochMsSchema })

/** Why a training run started. */
export const triggerViewSchema = z.object({
  kind: z.enum(triggerKinds),
  evidence: evidenceSchema,
  at: epochMsSchema,
})

/** Live performance of a version: over one agent's window, or merged over the fleet. */
export const liveSchema = z.object({
  runs: count,
  failures: count,
  latencyMs: latencySchema.nullable(),
  figures: figuresSchema,
  /** The seasonal-naive baseline against the same actuals. */
  baseline: figuresSchema,
  /** 1 − MSE / baseline's MSE; above 0 is better than the baseline. */
  skill: z.number().nullable(),
  /** Share of the actuals between the lowest and the highest quantile; left out where forecasts have no range. */
  coverage: z.object({ share: z.number(), rows: count }).optional(),
  drift: z.array(
    z.object({ input: z.string(), psi: z.number().nullable(), rows: count, verdict: z.string() }),
  ),
})
export type LiveView = z.infer<typeof liveSchema>

/** Real time of each step from the first sign of the trigger to the last agent serving, milliseconds. */
export const delaySchema = z.object({
  detect: z.number().min(0),
  queue: z.number().min(0),
  train: z.number().min(0),
  gate: z.number().min(0),
  sign: z.number().min(0).nullable(),
  publish: z.number().min(0).nullable(),
  fetch: z.number().min(0).nullable(),
  verify: z.number().min(0).nullable(),
  swap: z.number().min(0).nullable(),
  probation: z.number().min(0).nullable().optional(),
  total: z.number().min(0),
})

export { epochMsSchema, nameSchema, sha256Schema }
