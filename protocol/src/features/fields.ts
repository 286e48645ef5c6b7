/**
 * What a model is told about each forecast: which past values, which calendar, which covariates known in advance.
 * The spec is a value that travels in the manifest, so the gateway builds the very row that training saw.
 *
 * Times: the *origin* is the time of the first forecast step; lag 1 is the value one interval before it. Step `h`
 * (from 1 on) forecasts the time `origin + (h − 1) · intervalMs`.
 */
import { z } from 'zod'
import { limits } from '../limits.ts'
import { civilDateSchema, zoneSchema } from '../series/index.ts'

const stepsSchema = z.int().min(1).max(limits.contextLengthMax)
const orderSchema = z.int().min(1).max(24)

const calendarPartSchema = z.discriminatedUnion('kind', [
  /** One column per interval of the day. */
  z.object({ kind: z.literal('time-of-day-one-hot') }),
  /** Cosine and sine of 1 … order cycles a day. */
  z.object({ kind: z.literal('time-of-day-harmonics'), order: orderSchema }),
  /** Seven columns, Monday first. */
  z.object({ kind: z.literal('day-of-week') }),
  /** Three columns: Monday to Friday, Saturday, Sunday or holiday. */
  z.object({ kind: z.literal('day-type') }),
  /** Cosine and sine of 1 … order cycles in 365.25 days. */
  z.object({ kind: z.literal('day-of-year-harmonics'), order: orderSchema }),
  /** One column per offset: whether the civil date that many days later is a holiday. */
  z.object({ kind: z.literal('holiday'), offsetDays: z.array(z.int().min(-7).max(7)).min(1).max(15) }),
  /** Time-of-day harmonics of each day type (or weekday) apart: the shape of a day, per kind of day. */
  z.object({
    kind: z.literal('day-profile'),
    by: z.enum(['day-type', 'day-of-week']),
    order: orderSchema,
  }),
])

const calendarTermSchema = z.object({
  kind: z.literal('calendar'),
  parts: z.array(calendarPartSchema).min(1).max(16),
})

const covariateTermSchema = z.object({
  kind: z.literal('covariate'),
  name: z.string().min(1).max(limits.nameLengthMax),
  /** Columns x, max(0, x − knot) …: a piecewise-linear response, in the covariate's unit. Empty: linear. */
  knots: z.array(z.number()).max(32),
  /** Steps before the target (or the origin) at which it is read. */
  lag: z.int().min(0).max(limits.contextLengthMax).default(0),
  /** The mean of this many steps that end there. */
  averageSteps: z.int().min(1).max(limits.contextLengthMax).default(1),
})

/** Terms that are the same for every step: relative to the origin. */
export const sharedTermSchema = z.discriminatedUnion('kind', [
  /** Values at these lags: one column each, in this order. */
  z.object({ kind: z.literal('lags'), lags: z.array(stepsSchema).min(1).max(limits.contextLengthMax) }),
  /** Figures over the last `over` values. */
  z.object({
    kind: z.literal('statistics'),
    over: stepsSchema,
    of: z
      .array(z.enum(['mean', 'deviation', 'min', 'max']))
      .min(1)
      .max(4),
  }),
  calendarTermSchema,
  covariateTermSchema,
])

/** Terms that every step of the horizon has of its own: relative to the target time. */
export const stepTermSchema = z.discriminatedUnion('kind', [
  /** The `count`-th latest known value at the target's phase of the season: 1 is the last one before the origin. */
  z.object({ kind: z.literal('seasonal-lag'), seasonSteps: stepsSchema, count: z.int().min(1).max(60) }),
  calendarTermSchema,
  covariateTermSchema,
])

export const fieldsSchema = z.object({
  v: z.literal(1),
  intervalMs: z.int().min(limits.intervalMsMin).max(limits.intervalMsMax),
  horizon: z.int().min(1).max(limits.horizonMax),
  /** Season by which gaps of the context are filled, in steps. */
  seasonSteps: stepsSchema,
  /** Missing values of the context above which a row is invalid. */
  missingMax: z.int().min(0).max(limits.contextLengthMax),
  zone: zoneSchema,
  holidays: z.array(civilDateSchema).max(2_000),
  shared: z.array(sharedTermSchema).max(64),
  step: z.array(stepTermSchema).max(64),
})

export type FeatureSpec = Readonly<z.infer<typeof fieldsSchema>>
export type CalendarPart = z.infer<typeof calendarPartSchema>
export type SharedTerm = z.infer<typeof sharedTermSchema>
export type StepTerm = z.infer<typeof stepTermSchema>
