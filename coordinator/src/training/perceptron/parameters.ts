/** The settings of the perceptron, their defaults, and which of them are worth tuning. */
import { z } from 'zod'
import type { SearchSpace } from '../../tuning/space.ts'
import { activationNames } from '../engine/activations.ts'
import { scheduleNames } from '../engine/schedule.ts'
import { normalisationSchema } from '../normalisation.ts'

export const perceptronParametersSchema = z.object({
  /** What the network corrects: the level of the row, or a ridge forecast inside the same graph. */
  base: z.enum(['none', 'ridge']).default('ridge'),
  /** Left out: by mean and deviation where the features hold them, else by the last value, else none. */
  normalisation: normalisationSchema.optional(),
  /** Hidden layers, and values in each. */
  layers: z.int().min(1).max(6).default(2),
  width: z.int().min(1).max(1_024).default(128),
  activation: z.enum(activationNames).default('silu'),
  /** Share of the hidden values that a training step does not see. */
  dropout: z.number().min(0).max(0.9).default(0),
  /** `absolute` forecasts the median; `huber` heeds errors beyond one deviation less. */
  loss: z.enum(['squared', 'huber', 'absolute']).default('squared'),
  /** Probabilities of a second output, e.g. .1, .5, .9. */
  quantiles: z
    .array(z.number().gt(0).lt(1))
    .max(9)
    .refine((list) => list.every((one, i) => i === 0 || one > (list[i - 1] as number)), 'ascending')
    .default([]),
  /** The largest of its schedule. */
  learningRate: z.number().gt(0).max(1).default(3e-3),
  schedule: z.enum(scheduleNames).default('cosine'),
  weightDecay: z.number().min(0).max(10).default(1e-2),
  /** Rows per step. */
  batchRows: z.int().min(1).max(8_192).default(256),
  /** Passes over the rows at the most; the validation part decides. */
  epochs: z.int().min(1).max(2_000).default(60),
  /** Epochs without a better validation loss after which it ends. */
  patience: z.int().min(1).max(2_000).default(15),
  gradientNormMax: z.number().gt(0).default(5),
  /** Networks with different beginnings whose mean is the forecast; each costs as much as one. */
  members: z.int().min(1).max(16).default(2),
  /** Whether as many epochs are run once more on training and validation part together. */
  refit: z.boolean().default(true),
  /** Epochs that the validation part kept, per member; a result, not a wish. */
  epochsKept: z.array(z.int().min(0)).optional(),
})

export type PerceptronParameters = z.infer<typeof perceptronParametersSchema>

export const perceptronSpace: SearchSpace = {
  base: { kind: 'categorical', choices: ['none', 'ridge'] },
  layers: { kind: 'integer', low: 1, high: 3 },
  width: { kind: 'integer', low: 16, high: 256, log: true },
  activation: { kind: 'categorical', choices: ['relu', 'silu', 'tanh'] },
  dropout: { kind: 'float', low: 0, high: 0.5 },
  loss: { kind: 'categorical', choices: ['squared', 'huber', 'absolute'] },
  learningRate: { kind: 'float', low: 2e-4, high: 2e-2, log: true },
  weightDecay: { kind: 'float', low: 1e-4, high: 1, log: true },
  epochs: { kind: 'integer', low: 20, high: 120, log: true },
  batchRows: { kind: 'integer', low: 32, high: 1_024, log: true },
}
