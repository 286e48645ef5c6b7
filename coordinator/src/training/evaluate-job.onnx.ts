/** Several model files on the same window of one verified snapshot. Runs inside the training process. */

import { openSnapshot } from '../datasets/snapshot.fs.ts'
import { evaluateModel, type Evaluation } from './evaluate.onnx.ts'
import type { EvaluationJob } from './job.ts'

/** One evaluation per contender, in order. Throws `Failure` DATASET_CHANGED, DATASET_MISSING, NO_ROWS, LOAD_FAILED. */
export const runEvaluationJob = async (job: EvaluationJob): Promise<readonly Evaluation[]> => {
  const snapshot = await openSnapshot(job.dataset.path, job.dataset.sha256)
  const content = { ...snapshot, series: snapshot.series.filter(({ register }) => register === job.register) }
  const evaluations: Evaluation[] = []
  for (const { path, spec } of job.contenders) {
    evaluations.push(
      await evaluateModel(content, { path, spec, range: job.range, originStride: job.originStride }),
    )
  }
  return evaluations
}
