/** The ridge forecast that trees may correct: fitted twice, so that what it says of the validation part is honest. */
import { Failure } from '@imlma/protocol/result'
import type { Graph } from '../graph.ts'
import type { FeatureLayout, LearnerParts, TrainingExamples, TrainingRun } from '../learner.ts'
import type { NormalisationChoice } from '../normalisation.ts'
import { ridge } from '../ridge.ts'

export interface Offset {
  readonly graph: Graph
  /** rows × F → rows × H, raw units. */
  forecast(features: Float32Array, rows: number): ArrayLike<number>
}

export interface Offsets {
  /** Knows the training part only. */
  readonly before: Offset
  /** Knows the validation part too. */
  refitted(): Promise<Offset>
}

/** Throws `Failure` BAD_PARAMETERS where values are missing: a linear map has no answer to them. */
export const ridgeOffsets = async (
  parts: LearnerParts,
  examples: TrainingExamples<FeatureLayout>,
  normalisation: NormalisationChoice,
  run: TrainingRun,
): Promise<Offsets> => {
  if (examples.train.features.some(Number.isNaN)) {
    throw new Failure('BAD_PARAMETERS', 'ridge cannot be the base: the features have missing values', {
      hint: 'choose the base none; trees know what to do with a missing value',
    })
  }
  const quietly = { ...run, onProgress: () => undefined }
  const wishes = { normalisation, refit: false }
  const before = await ridge.train(parts, examples, ridge.parametersSchema.parse(wishes), quietly)
  const lambdas = [before.parameters.lambda]
  return {
    before,
    refitted: () =>
      ridge.train(
        parts,
        examples,
        ridge.parametersSchema.parse({ normalisation, lambdas, refit: true }),
        quietly,
      ),
  }
}
