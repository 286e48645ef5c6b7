/** The examples of the latest feature specs, one set a fold: trials mostly differ in anything but the features. */

import type { FeatureSpec } from '@imlma/protocol/features'
import type { TrainingExamples } from '../learner.ts'

type Prepare = (spec: FeatureSpec, fold: number) => TrainingExamples

/** Bytes of kept examples: a twentieth of what a training may take by default, and the specs of most studies. */
const keptBytesMax = 200 * 1_048_576

/**
 * Prepares each fold once per spec. Above `bytesMax` the specs that were not asked for longest are given up; the
 * latest one stays whatever its size.
 */
export const keepLatest = (prepare: Prepare, bytesMax = keptBytesMax): Prepare => {
  // In the order of the last use.
  const kept = new Map<FeatureSpec, Map<number, TrainingExamples>>()
  const bytes = (): number => {
    let sum = 0
    for (const folds of kept.values()) for (const examples of folds.values()) sum += bytesOf(examples)
    return sum
  }
  return (spec, fold) => {
    const folds = kept.get(spec) ?? new Map<number, TrainingExamples>()
    kept.delete(spec)
    kept.set(spec, folds)
    const examples = folds.get(fold) ?? prepare(spec, fold)
    folds.set(fold, examples)
    for (const oldest of kept.keys()) {
      if (oldest === spec || bytes() <= bytesMax) break
      kept.delete(oldest)
    }
    return examples
  }
}

const bytesOf = ({ train, validation }: TrainingExamples): number =>
  [train, validation].reduce(
    (sum, { features, targets }) => sum + features.byteLength + targets.byteLength,
    0,
  )
