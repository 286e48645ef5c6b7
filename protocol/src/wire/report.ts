/** One window of monitoring, per model and version: sums and sketches that merge exactly over time and fleet. */

import { z } from 'zod'
import { limits } from '../limits.ts'
import { errorSumsSchema } from '../metrics/index.ts'
import { comparisonSchema } from './comparison.ts'
import { epochMsSchema, headerSchema, nameSchema } from './header.ts'
import { bytesSchema } from './typed-arrays.ts'

const count = z.number().int().min(0)

/** Counts between fixed edges: `counts.length === edges.length + 1`, the first and last are the tails. */
export const histogramSchema = z
  .object({ edges: z.array(z.number()).min(1).max(256), counts: z.array(count).min(2).max(257) })
  .refine(({ edges, counts }) => counts.length === edges.length + 1, {
    message: 'counts are one more than edges',
  })

/** A forecast beside what came, for people to look at; a few meters a window, not all. */
export const forecastSampleSchema = z.object({
  meter: z.string().min(1).max(64),
  /** Target time and the version that forecast it. */
  at: epochMsSchema,
  forecast: z.number(),
  actual: z.number(),
  /** Steps ahead at which this forecast was made. */
  step: z.number().int().min(1),
  /** Lowest and highest quantile of this forecast, where it had any. */
  low: z.number().optional(),
  high: z.number().optional(),
})

/** How often what came lay where it was said to lie. */
export const coverageSchema = z
  .object({ inside: count, count })
  .refine((sums) => sums.inside <= sums.count, { message: 'no more lie inside than were counted' })
export type Coverage = z.infer<typeof coverageSchema>

export const versionWindowSchema = z.object({
  model: nameSchema,
  version: z.number().int().min(1),
  /** It ran beside the champion and answered nobody. */
  shadow: z.literal(true).optional(),
  /** Forecast runs and requests answered, and how many of them failed. */
  runs: count,
  failures: count,
  /** DDSketch in its protobuf form, seconds; null when nothing ran. */
  latencySketch: bytesSchema.nullable(),
  latencyMs: z.object({ p50: z.number(), p95: z.number(), p99: z.number() }).nullable(),
  /** Forecast against actual, and the seasonal-naive baseline against the same actuals. */
  errors: errorSumsSchema,
  baseline: errorSumsSchema,
  /** Actuals that met a forecast with quantiles, and those of them that lay within the lowest and the highest. */
  coverage: coverageSchema.optional(),
  /** Histogram and PSI against the manifest's reference, per input; `rows` is the sample size behind it. */
  inputs: z.record(
    z.string().max(64),
    z.object({
      histogram: histogramSchema,
      rows: count,
      psi: z.number().nullable(),
      verdict: z.enum(['stable', 'watch', 'act', 'too-few']),
    }),
  ),
  residuals: histogramSchema.nullable(),
  samples: z.array(forecastSampleSchema).max(1_000),
})
export type VersionWindow = z.infer<typeof versionWindowSchema>

export const reportSchema = headerSchema.extend({
  bootId: z.string().min(1).max(64),
  windowStart: epochMsSchema,
  windowEnd: epochMsSchema,
  versions: z.array(versionWindowSchema).max(32),
  /** Challengers in shadow against the champions they ran beside; absent where nothing was compared. */
  comparisons: z.array(comparisonSchema).max(limits.comparisonsPerReportMax).optional(),
  process: z.object({
    residentBytes: z.number().min(0),
    uptimeS: z.number().min(0),
    reconnects: count,
  }),
})
export type Report = z.infer<typeof reportSchema>
