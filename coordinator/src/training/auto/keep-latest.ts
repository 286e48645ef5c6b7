/** The examples of the latest feature spec, one set a fold: trials mostly differ in anything but the features. */

import type { FeatureSpec } from '@imlma/protocol/features'
import type { TrainingExamples } from '../learner.ts'

type Prepare = (spec: FeatureSpec, fold: number) => TrainingExamples

/** Prepares each fold once per spec; another spec frees what was kept, so memory is that of one spec's folds. */
export const keepLatest = (prepare: Prepare): Prepare => {
  let latest: FeatureSpec | undefined
  const kept = new Map<number, TrainingExamples>()
  return (spec, fold) => {
    if (spec !== latest) kept.clear()
    latest = spec
    const examples = kept.get(fold) ?? prepare(spec, fold)
    kept.set(fold, examples)
    return examples
  }
}
