/** The same examples with fewer rows to learn from. */
import type { TrainingExamples } from '../learner.ts'
import { evenPlaces, rowsAt } from '../some-rows.ts'

/** Rows below which a share says nothing of the whole: fewer rank models by luck. */
const rowsMin = 200

/** An even share of the training rows, in their order, and all rows to be judged on; undefined where it is too small. */
export const shareOf = (examples: TrainingExamples, share: number): TrainingExamples | undefined => {
  const { builder, train } = examples
  const rows = Math.round(train.rows * share)
  if (rows < rowsMin) return undefined
  return { ...examples, train: rowsAt(train, builder, evenPlaces(train.rows, rows)) }
}
