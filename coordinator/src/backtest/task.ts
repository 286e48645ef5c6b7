/**
 * A backtest as a file says it: which columns of which table, which part of it trains, chooses and judges, and who
 * learns. Everything that changes a figure is in here, so that a figure can be made again.
 */
import { quantilesSchema } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { z } from 'zod'

const columnSchema = z.string().min(1).max(200)
const stepsSchema = z.int().min(1).max(100_000)
const dateSchema = z.iso.datetime({ offset: true })

/** What a model is told beside covariates; the terms of a feature spec, shortly. */
const featuresSchema = z.strictObject({
  name: z.string().min(1).max(100),
  /** The last values, one column each. Left out: those of the task. */
  context: stepsSchema.optional(),
  /** Mean, minimum, maximum and deviation over so many last values. */
  statistics: z.array(stepsSchema).max(8).default([]),
  /** Values at the target's phase of earlier seasons: `counts` 1 is the latest known. */
  seasonal: z
    .array(z.strictObject({ steps: stepsSchema, counts: z.array(z.int().min(1).max(60)).min(1).max(16) }))
    .max(8)
    .default([]),
  /** Parts of a calendar term, per step of the horizon. */
  calendar: z
    .array(z.looseObject({ kind: z.string() }))
    .max(16)
    .default([]),
  /** How covariates enter, by column; one that is not named enters as it is. */
  covariates: z
    .record(
      columnSchema,
      z.strictObject({
        /** Bends of a piecewise-linear response. */
        knots: z.array(z.number()).max(32).default([]),
        /** `[lag, steps to average]` each. */
        terms: z
          .array(z.tuple([z.int().min(0), z.int().min(1)]))
          .min(1)
          .max(32),
      }),
    )
    .default({}),
})

const splitSchema = z.discriminatedUnion('by', [
  /** So many rows each, one after the other from the first on; what is left over is not used. */
  z.strictObject({ by: z.literal('rows'), train: stepsSchema, validation: stepsSchema, test: stepsSchema }),
  z.strictObject({
    by: z.literal('dates'),
    validationFrom: dateSchema,
    testFrom: dateSchema,
    testTo: dateSchema.optional(),
  }),
  /** Of all rows; the rest trains. */
  z.strictObject({
    by: z.literal('share'),
    validation: z.number().gt(0).lt(1),
    test: z.number().gt(0).lt(1),
  }),
])

const fieldsSchema = z.strictObject({
  name: z.string().min(1).max(200),
  /** `forecast`: a window of the past → the horizon. `regression`: the other columns of a row → the target. */
  kind: z.enum(['forecast', 'regression']).default('forecast'),
  /** A comma-separated file with a head line. */
  data: z.string().min(1),
  /** Not for a regression: its rows are taken in the order of the file. */
  time: z
    .strictObject({
      column: columnSchema,
      /** Times without a zone are UTC. */
      format: z
        .enum(['iso', 'DD/MM/YYYY HH:mm', 'MM/DD/YYYY HH:mm', 'epoch-seconds', 'epoch-milliseconds'])
        .default('iso'),
    })
    .optional(),
  intervalMinutes: z.int().min(1).max(1_440).optional(),
  /** Averages finer rows; bins are closed on the left and labelled at one end. */
  resample: z.strictObject({ label: z.enum(['left', 'right']).default('right') }).optional(),
  /** What of the file is used. */
  from: dateSchema.optional(),
  to: dateSchema.optional(),
  /** Several are forecast by one model, a row each. */
  targets: z.array(columnSchema).min(1).max(1_000),
  /** A column of words becomes one column per word. `known`: its future is known when the forecast is made. */
  covariates: z
    .array(z.strictObject({ column: columnSchema, known: z.boolean().default(true) }))
    .max(64)
    .default([]),
  /** Dates on which `column` has `value` are holidays. */
  holidays: z
    .strictObject({ date: columnSchema, column: columnSchema, value: z.string().default('TRUE') })
    .optional(),
  /** Of the calendar, as in Europe/Berlin. */
  zone: z.string().default('UTC'),
  split: splitSchema,
  /** Steps between the targets of two parts; left out: the horizon. */
  gapSteps: z.int().min(0).optional(),
  /** `standard`: by mean and population deviation of the training rows, target by target; figures are in those units. */
  scaling: z.enum(['none', 'standard']).default('none'),
  horizon: z.int().min(1).max(2_688).default(1),
  /** Steps between two forecasts, counted from midnight UTC, or from `originHour` on. */
  stride: stepsSchema.default(1),
  originHour: z.int().min(0).max(23).default(0),
  /** Season of the seasonal naive forecast, and by which gaps are filled; left out: a day. */
  seasonSteps: stepsSchema.optional(),
  /** Last values a model sees; of a list the validation part chooses. */
  context: z.union([stepsSchema, z.array(stepsSchema).min(1).max(16)]).optional(),
  /** Of several the validation part chooses. */
  features: z.array(featuresSchema).min(1).max(16).optional(),
  /** A learner's name, or `auto`: a study over all of `learners`, their parameters and the features. */
  learner: z.string().default('auto'),
  learners: z.array(z.string()).min(1).max(16).optional(),
  /** By learner; what is set here is not searched. */
  parameters: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  /** Probabilities of a range beside the forecast; the report then has its pinball loss and its coverage. */
  quantiles: quantilesSchema.default([]),
  /** Whether the chosen model is fitted once more on training and validation part together. */
  refit: z.boolean().default(true),
  /** Whether a study's best models may be averaged where the validation part says so. */
  average: z.boolean().default(true),
  /** What chooses on the validation part. */
  metric: z.enum(['mse', 'mae']).default('mse'),
  trials: z.int().min(1).max(1_000).default(30),
  /** Blocks of the validation part that a trial is asked about, one after the other. */
  folds: z.int().min(1).max(12).default(1),
  /** No further trial begins after this time. */
  secondsMax: z.number().positive().max(86_400).default(3_600),
  /**
   * Whether a study prefers quick trials where trial times differ much. It then asks differently on another machine;
   * `false`: the same seed gives the same figures wherever `secondsMax` is not reached.
   */
  costAware: z.boolean().default(false),
  /**
   * Which trials are not finished: `median`, those worse than the median of the others after a block of the
   * validation part; `halving`, those not among the best third on a ninth and then a third of the rows.
   */
  discard: z.enum(['none', 'median', 'halving']).default('median'),
  /** Rows of the training part at the most; above, an even share is taken. */
  rowsMax: z.int().min(100).max(2_000_000).default(100_000),
  seed: z.int().min(0).default(1),
})

const taskSchema = fieldsSchema
  .refine(({ kind, time }) => kind === 'regression' || time !== undefined, {
    path: ['time'],
    error: 'a forecast needs a time column',
  })
  .refine(({ kind, intervalMinutes }) => kind === 'regression' || intervalMinutes !== undefined, {
    path: ['intervalMinutes'],
    error: 'a forecast needs an interval',
  })
  .refine(({ kind, context, features }) => kind === 'regression' || (context ?? features) !== undefined, {
    path: ['context'],
    error: 'a forecast needs a context (or features)',
  })
  .refine(({ kind, split }) => kind === 'forecast' || split.by !== 'dates', {
    path: ['split'],
    error: 'a regression is split by rows or by share',
  })
  .refine(({ kind, horizon, targets }) => kind === 'forecast' || (horizon === 1 && targets.length === 1), {
    path: ['targets'],
    error: 'a regression has one target and a horizon of 1',
  })
  .refine(({ kind, covariates }) => kind === 'forecast' || covariates.length > 0, {
    path: ['covariates'],
    error: 'a regression needs columns to learn from',
  })
  .refine(({ split }) => split.by !== 'share' || split.validation + split.test < 1, {
    path: ['split'],
    error: 'validation and test leave nothing to train on',
  })
  .refine(({ targets, covariates }) => covariates.every(({ column }) => !targets.includes(column)), {
    path: ['covariates'],
    error: 'a target cannot be a covariate as well',
  })

export type BacktestTask = Readonly<z.infer<typeof fieldsSchema>>
export type FeatureChoice = BacktestTask['features'] extends readonly (infer One)[] | undefined ? One : never

/** A task out of the text of its file. */
export const parseTask = (text: string): Result<BacktestTask, 'BAD_TASK'> => {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch (error) {
    return refuse('BAD_TASK', `the task is no JSON: ${(error as Error).message}`)
  }
  const parsed = taskSchema.safeParse(given)
  if (parsed.success) return accept(parsed.data)
  return refuse(
    'BAD_TASK',
    `the task cannot be used: ${z.prettifyError(parsed.error)}`,
    'imlma backtest --help shows an example; the tasks folder of the coordinator has more',
  )
}
