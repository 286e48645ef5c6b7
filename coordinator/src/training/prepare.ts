/** From a snapshot and a split to the examples of one training, with memory and time bounded by a row limit. */
import { createFeatureBuilder, type FeatureSpec } from '@imlma/protocol/features'
import { Failure } from '@imlma/protocol/result'
import type { SnapshotContent } from '../datasets/snapshot.ts'
import type { TrainingSplit } from '../datasets/split.ts'
import { buildExamples, placesOf, shareFor, thinned, type Examples } from './examples.ts'
import type { TrainingExamples } from './learner.ts'

export interface PrepareOptions {
  /** Every how many intervals an origin lies. */
  readonly originStride?: number
  /** Rows of the training part; where there are more, an even share of them is taken. 40,000 rows of 500 features are 80 MB and under 2 s of matrix products. */
  readonly rowsMax?: number
}

/** Examples below which no weights can be trusted. */
const rowsMin = 30

/** Throws `Failure` TOO_FEW_ROWS. */
export const prepareExamples = (
  content: Pick<SnapshotContent, 'series' | 'covariates'>,
  spec: FeatureSpec,
  split: TrainingSplit,
  { originStride = 1, rowsMax = 40_000 }: PrepareOptions = {},
): TrainingExamples & { readonly originStride: number } => {
  const builder = createFeatureBuilder(spec)
  const share = shareFor(placesOf(content, builder, split.train, originStride).length, rowsMax)
  const examplesOf = (range: TrainingSplit['train']): Examples => {
    const places = placesOf(content, builder, range, originStride)
    return buildExamples(content, builder, thinned(places, spec.intervalMs, share), 'complete')
  }
  const train = examplesOf(split.train)
  const validation = examplesOf(split.validation)
  if (train.rows < rowsMin || validation.rows === 0) {
    throw new Failure(
      'TOO_FEW_ROWS',
      `${train.rows} complete rows to train on and ${validation.rows} to validate`,
      {
        hint: `at least ${rowsMin} are needed: wait for more readings, or look why so many are missing`,
      },
    )
  }
  return { builder, train, validation, originStride }
}
