/** What people see when they look closer: two versions side by side, where one comes from, its forecasts, its studies. */

import { z } from 'zod'
import { checkSchema } from '../../registry/events.ts'
import {
  count,
  epochMsSchema,
  figuresSchema,
  nameSchema,
  sha256Schema,
  versionNumberSchema,
  windowSchema,
} from './common.ts'

export const comparisonViewSchema = z
  .object({
    model: nameSchema,
    a: versionNumberSchema,
    b: versionNumberSchema,
    /** What both were judged on together; null where the gate never put these two side by side. */
    sameWindow: z.object({ window: windowSchema, rows: count, decidedFor: versionNumberSchema }).nullable(),
    lines: z.array(
      z.object({
        name: z.string(),
        /** Where the figures come from: the gate's window, the fleet, the training. */
        basis: z.enum(['gate', 'fleet', 'training']),
        unit: z.string(),
        a: z.number().nullable(),
        b: z.number().nullable(),
        rowsA: count.nullable(),
        rowsB: count.nullable(),
        /** (b − a) / |a|; null where it means nothing. */
        change: z.number().nullable(),
        better: z.enum(['a', 'b', 'same']).nullable(),
      }),
    ),
    /** Hyper-parameters and provenance that differ or are shared, as text. */
    traits: z.array(z.object({ name: z.string(), a: z.string(), b: z.string(), differs: z.boolean() })),
  })
  .meta({ id: 'Comparison' })
export type ComparisonView = z.infer<typeof comparisonViewSchema>

export const lineageViewSchema = z
  .object({
    model: nameSchema,
    version: versionNumberSchema,
    /** From this version back to the first one. */
    ancestors: z.array(
      z.object({
        version: versionNumberSchema,
        state: z.enum(['trained', 'promoted', 'rejected', 'inconclusive']),
        createdAt: epochMsSchema,
        learner: z.string(),
        figures: figuresSchema.nullable(),
      }),
    ),
    children: z.array(versionNumberSchema),
    /** What made this version, in the order in which it happened. */
    steps: z.array(
      z.object({
        step: z.enum(['trigger', 'dataset', 'training', 'shadow', 'decision', 'signature', 'deployment']),
        at: epochMsSchema.nullable(),
        title: z.string(),
        detail: z.string(),
        sha256: sha256Schema.nullable(),
      }),
    ),
    checks: z.array(checkSchema),
  })
  .meta({ id: 'Lineage' })
export type LineageView = z.infer<typeof lineageViewSchema>

export const forecastsViewSchema = z
  .object({
    model: nameSchema,
    unit: z.string(),
    /** Every meter there are samples of. */
    meters: z.array(z.string()),
    /** Oldest first. */
    samples: z.array(
      z.object({
        meter: z.string(),
        at: epochMsSchema,
        /** Steps ahead at which this forecast was made. */
        step: z.number().int().min(1),
        forecast: z.number(),
        actual: z.number(),
        /** Lowest and highest quantile, where the forecast had any. */
        low: z.number().optional(),
        high: z.number().optional(),
        version: versionNumberSchema,
        agent: z.string(),
      }),
    ),
  })
  .meta({ id: 'Forecasts' })
export type ForecastsView = z.infer<typeof forecastsViewSchema>

export const studyViewSchema = z
  .object({ study: z.string(), model: nameSchema, startedAt: epochMsSchema, trials: count })
  .meta({ id: 'Study' })
export type StudyView = z.infer<typeof studyViewSchema>
