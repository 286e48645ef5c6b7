/** Several model files on the same window of one verified snapshot. Runs inside the training process. */

import { openSnapshot } from '../datasets/snapshot.fs.ts'
import { evaluateModels, type Evaluation } from './evaluate.onnx.ts'
import type { EvaluationJob } from './job.ts'

/**
 * One evaluation per contender, in order, all on the same rows. Throws `Failure` DATASET_CHANGED, DATASET_MISSING,
 * NO_ROWS, LOAD_FAILED, CONTRACT_MISMATCH.
 */
export const runEvaluationJob = async (job: EvaluationJob): Promise<readonly Evaluation[]> => {
  const snapshot = await openSnapshot(job.dataset.path, job.dataset.sha256)
  const content = { ...snapshot, series: snapshot.series.filter(({ register }) => register === job.register) }
  return evaluateModels(content, job.contenders, job)
}
