/** What an operator says about one model: which series it forecasts, when it is retrained, what it may cost. */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { quantilesSchema } from '@imlma/protocol/manifest'
import { civilDateSchema, dayMs, utc, zoneSchema } from '@imlma/protocol/series'
import { nameSchema } from '@imlma/protocol/wire'
import { shadowRules, type ShadowRules } from '../shadow/book.ts'

const durationMs = z.number().int().min(1)

const learnerNames = ['ridge', 'trees', 'perceptron', 'recurrent', 'seasonal-naive'] as const

const fieldsSchema = z.object({
  name: nameSchema,
  quantity: z.string().min(1).max(64),
  unit: z.string().min(1).max(16),
  /** Every series of the site with this register and interval trains the model and is forecast by it. */
  register: z.string().min(1).max(limits.nameLengthMax),
  intervalMs: z.number().int().min(limits.intervalMsMin).max(limits.intervalMsMax),
  /** Steps. */
  horizon: z.number().int().min(1).max(limits.horizonMax),
  zone: zoneSchema.default([...utc]),
  holidays: z.array(civilDateSchema).max(2_000).default([]),
  /**
   * Probabilities of the range beside each forecast, ascending; none: a forecast alone. They come from errors on the
   * validation part, for any learner; `parameters.quantiles` has trees or a perceptron learn them instead.
   */
  quantiles: quantilesSchema.default([0.1, 0.5, 0.9]),
  /** `auto`: learner, parameters and features are chosen by a study at every training. */
  learner: z.enum([...learnerNames, 'auto']).default('ridge'),
  /** The learner's; of `auto` by learner (`{ "trees": { "base": "ridge" } }`), and what is set is not searched. */
  parameters: z.record(z.string(), z.unknown()).default({}),
  seed: z.number().int().default(1),
  trigger: z.object({
    /** New verified readings since the last training. */
    volume: z.number().int().min(1),
    /** Time since the last training. */
    intervalMs: durationMs,
    /** Readings below which nothing is trained at all. */
    readingsMin: z.number().int().min(1),
    /** Shortest time between two trainings. */
    coolDownMs: z.number().int().min(0).default(60_000),
  }),
  data: z
    .object({
      /** Newest readings that a snapshot takes; older ones teach yesterday's behaviour. */
      windowMsMax: durationMs.default(400 * dayMs),
      /** Newest part, held out of training and judged on by the gate. */
      evaluationMs: durationMs.default(7 * dayMs),
      /** Share of expected readings below which a snapshot is refused. */
      completenessMin: z.number().min(0).max(1).default(0.6),
    })
    .prefault({}),
  /** What its readings can be held to; everything that is found is kept out of training and counted. */
  quality: z
    .object({
      /** Registers that only grow. Without it, the OBIS code decides (x.8.x, x.9.x). */
      cumulative: z.boolean().optional(),
      /** Without it, the OBIS code decides: energies and powers of one direction are never negative. */
      allowNegative: z.boolean().optional(),
      /** A day of zeros is the commonest sign of a dead meter; only empty houses and resting plants have them. */
      allowZero: z.boolean().default(false),
      /** The same value for a day is a stuck meter: no load that people or weather touch stands still so long. */
      frozenHours: z.number().min(1).max(8_784).default(24),
      /**
       * Power of the connection, one for all meters or by meter, in the unit without its hour (kW where values are
       * kWh). Above 1.25 times that its fuse would have blown.
       */
      ratedPower: z.union([z.number().positive(), z.record(z.string(), z.number().positive())]).optional(),
    })
    .prefault({}),
  /** How `auto` searches. */
  study: z
    .object({
      trials: z.number().int().min(1).max(1_000).default(30),
      /** Blocks of the rolling-origin validation: more are steadier and cost as much again. */
      folds: z.number().int().min(1).max(10).default(2),
      /** No further trial begins after this time; the final training comes on top. */
      secondsMax: z.number().min(1).max(86_400).default(600),
      /** Learners to choose from; left out: ridge, trees and perceptron. */
      learners: z
        .array(z.enum(learnerNames, { error: `no learner; choose from ${learnerNames.join(', ')}` }))
        .min(1)
        .optional(),
    })
    .prefault({}),
  training: z
    .object({
      secondsMax: z.number().min(1).max(86_400).default(900),
      /** Of a file that was made elsewhere: it is asked, not trained, and may be made to hang. */
      examinationSecondsMax: z.number().min(1).max(3_600).default(120),
      memoryMbMax: z.number().min(256).max(65_536).default(4_096),
      /** Examples (meter × origin) that are learned from; where there are more, an even share of them is taken. */
      rowsMax: z.number().int().min(100).max(1_000_000).default(40_000),
    })
    .prefault({}),
  /** Where the gate cannot tell: the version goes on beside the champion, on live inputs. */
  shadow: z
    .object({
      /** Share of the agents that run it; 0: nothing goes into shadow. */
      share: z.number().min(0).max(1).default(1),
      /** Days of pairs after which it leaves without a proof. */
      daysMax: z.number().int().min(1).max(1_000).default(90),
    })
    .prefault({}),
  /** p99 of one forecast run on a gateway; a slower version does not pass warming. */
  latencyMsBudget: z.number().positive().default(50),
})

/** Where learner, parameters and times contradict each other is said here, and not by every training anew. */
export const modelDefinitionSchema = fieldsSchema.superRefine((definition, context) => {
  if (definition.learner !== 'auto') return
  const { parameters, study, training } = definition
  const chosenFrom: readonly string[] = study.learners ?? learnerNames
  for (const [name, given] of Object.entries(parameters)) {
    const path = ['parameters', name]
    if (!chosenFrom.includes(name)) {
      const message = `of auto, parameters are by learner; the study chooses from ${chosenFrom.join(', ')}`
      context.addIssue({ code: 'custom', path, message })
    } else if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      context.addIssue({ code: 'custom', path, message: `these are the parameters of ${name}: an object` })
    }
  }
  // The study would be cut off before anything is trained, every time.
  if (study.secondsMax >= training.secondsMax) {
    const message = `leaves no time for the final training within training.secondsMax (${training.secondsMax})`
    context.addIssue({ code: 'custom', path: ['study', 'secondsMax'], message })
  }
})
export type ModelDefinition = z.infer<typeof modelDefinitionSchema>

/** By which rules its versions in shadow are judged. */
export const toShadowRules = ({ horizon, intervalMs, shadow: { daysMax } }: ModelDefinition): ShadowRules =>
  shadowRules(horizon * intervalMs, { daysMax })

export const definitionsSchema = z
  .array(modelDefinitionSchema)
  .min(1)
  .max(limits.modelsPerAgentMax)
  .refine((models) => new Set(models.map(({ name }) => name)).size === models.length, {
    message: 'two models have the same name',
  })
