/** The settings of boosted trees, their defaults, and which of them are worth tuning. */
import { z } from 'zod'
import type { SearchSpace } from '../../tuning/space.ts'
import { normalisationSchema } from '../normalisation.ts'
import { valueBinsMax } from './bins.ts'

const shareSchema = z.number().gt(0).max(1)

export const treesParametersSchema = z.object({
  /** `huber` and `absolute` heed outliers less; `absolute` forecasts the median. */
  loss: z.enum(['squared', 'huber', 'absolute']).default('squared'),
  /** Probabilities of a second output, e.g. .1, .5, .9; each costs as much as the forecast itself. */
  quantiles: z
    .array(z.number().gt(0).lt(1))
    .max(9)
    .refine((list) => list.every((one, i) => i === 0 || one > (list[i - 1] as number)), 'ascending')
    .default([]),
  /** What the trees correct: the level of the row, or a ridge forecast inside the same graph. */
  base: z.enum(['none', 'ridge']).default('none'),
  /** Left out: by mean and deviation where the features hold them, else by the last value, else none. */
  normalisation: normalisationSchema.optional(),
  /** Trees at the most; early stopping decides. */
  rounds: z.int().min(1).max(5_000).default(1_000),
  learningRate: z.number().gt(0).max(1).default(0.05),
  leavesMax: z.int().min(2).max(512).default(31),
  /** Divisions from the root to a leaf. */
  depthMax: z.int().min(1).max(32).default(8),
  /** Rows in a leaf at least, which with these losses is its weight too. */
  rowsMin: z.int().min(1).max(100_000).default(20),
  l2: z.number().min(0).max(1e6).default(1),
  gainMin: z.number().min(0).default(0),
  /** Of rows and columns, what each tree sees. */
  rowShare: shareSchema.default(0.8),
  columnShare: shareSchema.default(0.8),
  binsMax: z.int().min(2).max(valueBinsMax).default(valueBinsMax),
  /** Rounds without a better validation loss after which it ends. */
  patience: z.int().min(1).max(5_000).default(50),
  /** 1 where the forecast may only rise with a column, −1 where it may only fall. Columns of a step without "step N". */
  monotone: z.record(z.string(), z.union([z.literal(-1), z.literal(0), z.literal(1)])).default({}),
  /** Whether as many trees are grown once more on training and validation part together. */
  refit: z.boolean().default(true),
  /** Pairs of row and step; where there are more, an even share of them is taken. 400,000 of 100 columns are 40 MB. */
  longRowsMax: z.int().min(1_000).max(4_000_000).default(400_000),
  /** How many early stopping kept in the forecast; a result, not a wish. */
  trees: z.int().min(0).optional(),
})

export type TreesParameters = z.infer<typeof treesParametersSchema>

export const treesSpace: SearchSpace = {
  base: { kind: 'categorical', choices: ['none', 'ridge'] },
  loss: { kind: 'categorical', choices: ['squared', 'huber', 'absolute'] },
  learningRate: { kind: 'float', low: 0.01, high: 0.3, log: true },
  leavesMax: { kind: 'integer', low: 4, high: 128, log: true },
  depthMax: { kind: 'integer', low: 2, high: 12 },
  rowsMin: { kind: 'integer', low: 2, high: 200, log: true },
  l2: { kind: 'float', low: 1e-2, high: 100, log: true },
  rowShare: { kind: 'float', low: 0.4, high: 1 },
  columnShare: { kind: 'float', low: 0.2, high: 1 },
}
