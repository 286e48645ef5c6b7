/** The settings of the recurrent learner, their defaults, and which of them are worth tuning. */
import { z } from 'zod'
import type { SearchSpace } from '../../tuning/space.ts'
import { scheduleNames } from '../engine/schedule.ts'
import { normalisationSchema } from '../normalisation.ts'

export const recurrentParametersSchema = z.object({
  /** What the network corrects: the level of the row, or a ridge forecast inside the same graph. */
  base: z.enum(['none', 'ridge']).default('ridge'),
  /** Left out: by mean and deviation where the features hold them, else by the last value, else none. */
  normalisation: normalisationSchema.optional(),
  /** Values of the state. */
  units: z.int().min(1).max(256).default(48),
  /** Time steps at the most: more lags than that are read several at a time. Training time grows with it. */
  stepsMax: z.int().min(2).max(256).default(28),
  /** Hidden values between the last state and the forecast; 0: none. */
  head: z.int().min(0).max(1_024).default(64),
  /** Share of the last state that a training step does not see. */
  dropout: z.number().min(0).max(0.9).default(0.1),
  /** `absolute` forecasts the median; `huber` heeds errors beyond one deviation less. */
  loss: z.enum(['squared', 'huber', 'absolute']).default('squared'),
  /** The largest of its schedule. */
  learningRate: z.number().gt(0).max(1).default(3e-3),
  schedule: z.enum(scheduleNames).default('cosine'),
  weightDecay: z.number().min(0).max(10).default(1e-2),
  /** Rows per step. */
  batchRows: z.int().min(1).max(8_192).default(256),
  /** Rows of an epoch at the most, others in the next one: with `epochsMax` it bounds the time. */
  epochRowsMax: z.int().min(1).max(1_000_000).default(10_000),
  /** The validation part decides how many of them count. */
  epochsMax: z.int().min(1).max(2_000).default(30),
  /** Epochs without a better validation loss after which it ends. */
  patience: z.int().min(1).max(2_000).default(8),
  gradientNormMax: z.number().gt(0).default(1),
  /** Whether as many epochs are run once more on training and validation part together. */
  refit: z.boolean().default(true),
  /** How many epochs the validation part kept; a result, not a wish. */
  epochsKept: z.int().min(0).optional(),
})

export type RecurrentParameters = z.infer<typeof recurrentParametersSchema>

export const recurrentSpace: SearchSpace = {
  base: { kind: 'categorical', choices: ['none', 'ridge'] },
  units: { kind: 'integer', low: 16, high: 128, log: true },
  stepsMax: { kind: 'integer', low: 8, high: 64, log: true },
  head: { kind: 'integer', low: 16, high: 256, log: true },
  dropout: { kind: 'float', low: 0, high: 0.5 },
  loss: { kind: 'categorical', choices: ['squared', 'huber', 'absolute'] },
  learningRate: { kind: 'float', low: 5e-4, high: 2e-2, log: true },
  weightDecay: { kind: 'float', low: 1e-4, high: 1, log: true },
}
