/** The ridge forecast that a perceptron corrects, as graphs: before and after it has seen the validation part. */
import type { Graph } from '../graph.ts'
import type { FeatureLayout, LearnerParts, TrainingExamples, TrainingRun } from '../learner.ts'
import type { NormalisationChoice } from '../normalisation.ts'
import { ridge } from '../ridge.ts'

export interface RidgeBase {
  /** Fitted on the training part only. */
  readonly before: Graph
  /** With the same penalty on both parts. */
  refitted(): Promise<Graph>
}

export const fitRidgeBase = async (
  parts: LearnerParts,
  examples: TrainingExamples<FeatureLayout>,
  normalisation: NormalisationChoice,
  run: TrainingRun,
): Promise<RidgeBase> => {
  const quietly = { ...run, onProgress: () => undefined }
  const fit = (wishes: object) =>
    ridge.train(parts, examples, ridge.parametersSchema.parse({ normalisation, ...wishes }), quietly)
  // The same for every trial on the same examples.
  const before = await parts.recall(examples, `ridge base ${JSON.stringify(normalisation)}`, () =>
    fit({ refit: false }),
  )
  return {
    before: before.graph,
    refitted: async () => (await fit({ lambdas: [before.parameters.lambda], refit: true })).graph,
  }
}
