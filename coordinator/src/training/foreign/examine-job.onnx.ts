/**
 * A model from elsewhere takes the place of a training: it is looked at, asked with the rows of the frozen snapshot,
 * and what comes out is the same record that a training leaves (golden vectors, reference profile, errors), so that
 * everything behind it, the gate first, cannot tell the difference. Runs inside the training process.
 */
import { createFeatureBuilder } from '@imlma/protocol/features'
import { errorSumsOf, metricsOf } from '@imlma/protocol/metrics'
import { sha256File } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import type { SnapshotContent } from '../../datasets/snapshot.ts'
import { openSnapshot } from '../../datasets/snapshot.fs.ts'
import { splitTraining } from '../../datasets/split.ts'
import { externalLearner, type ExaminationJob, type TrainingOutcome } from '../job.ts'
import type { TrainingRun } from '../learner.ts'
import { prepareExamples } from '../prepare.ts'
import { referenceOf } from '../reference.ts'
import { goldenOf, runExported, seriesOf } from '../run-job.onnx.ts'
import { openForecastSession } from '../session.onnx.ts'
import { runInspectionJob } from './inspect.onnx.ts'
import { probe, type ProbeRows } from './probe.onnx.ts'

/**
 * Throws `Failure` as `runInspectionJob` and `probe` do, and DATASET_CHANGED, DATASET_MISSING, ARTIFACT_CHANGED,
 * NO_SERIES, TOO_FEW_ROWS, UNKNOWN_COVARIATE, OVERLAP, NOT_FINITE.
 */
export const runExaminationJob = async (
  job: ExaminationJob,
  { onProgress }: Pick<TrainingRun, 'onProgress'>,
): Promise<TrainingOutcome> => {
  const started = performance.now()
  const { path, features: spec, task } = job
  onProgress({ phase: 'load', fraction: 0 })
  const file = await sha256File(path)
  if (file.sha256 !== job.sha256) {
    throw new Failure('ARTIFACT_CHANGED', 'the registered file is no longer the one that was sent', {
      hint: 'somebody or a failing disk changed it: find out who, then register it again',
    })
  }
  await runInspectionJob(job)
  const snapshot = await openSnapshot(job.dataset.path, job.dataset.sha256)
  checkOverlap(snapshot, job.trainedUntil)
  const content = seriesOf(snapshot, task)
  checkCovariates(snapshot, job)

  onProgress({ phase: 'examples', fraction: 0.2 })
  const split = splitTraining({ start: snapshot.window.start, trainEnd: snapshot.trainEnd }, task)
  const { builder, train, validation, originStride } = prepareExamples(content, spec, split, task)
  onProgress({ phase: 'validate', fraction: 0.4 })
  await probeFile(path, { ...train, horizon: builder.horizon }, job.latencyMsBudget)
  const forecasts = await runExported(path, train, builder.count)
  const later = await runExported(path, validation, builder.count)
  checkFinite(forecasts)
  checkFinite(later)

  return {
    artifactPath: path,
    sha256: file.sha256,
    bytes: file.bytes,
    learner: externalLearner,
    parameters: job.provenance,
    metrics: {
      train: metricsOf(errorSumsOf(forecasts, train.targets)),
      validation: metricsOf(errorSumsOf(later, validation.targets)),
    },
    features: spec,
    golden: goldenOf(train, forecasts, builder.count, builder.horizon),
    // There is no trainer beside it that could say anything else.
    parity: 0,
    reference: referenceOf(
      content.series,
      { start: split.train.start, end: snapshot.trainEnd },
      later.map((forecast, i) => forecast - (validation.targets[i] as number)),
    ),
    rows: { train: train.rows, validation: validation.rows },
    dropped: {
      tooManyMissing: train.dropped.tooManyMissing + validation.dropped.tooManyMissing,
      covariateMissing: train.dropped.covariateMissing + validation.dropped.covariateMissing,
      targetMissing: train.dropped.targetMissing + validation.dropped.targetMissing,
    },
    originStride,
    // Ours ends where the snapshot's training part does; this one where its maker says.
    trainEnd: job.trainedUntil,
    seconds: (performance.now() - started) / 1_000,
  }
}

/** What it has learned from must not be what it is judged on: nobody here can see that, so its maker has to say it. */
const checkOverlap = ({ evaluation }: SnapshotContent, trainedUntil: number): void => {
  if (trainedUntil <= evaluation.start) return
  const [until, from] = [trainedUntil, evaluation.start].map((time) => new Date(time).toISOString())
  throw new Failure(
    'OVERLAP',
    `it was trained on data until ${until}, the gate judges on data from ${from} on`,
    {
      hint: 'register it again when enough later readings are there, or train it on data that ends earlier',
    },
  )
}

const checkCovariates = ({ covariates }: SnapshotContent, { features }: ExaminationJob): void => {
  const missing = createFeatureBuilder(features).covariateNames.find(
    (name) => !covariates.some(({ register }) => register === name),
  )
  if (missing === undefined) return
  throw new Failure(
    'UNKNOWN_COVARIATE',
    `the features read ${missing}, which the model’s datasets do not hold`,
    {
      hint: 'use features of the readings and the calendar only',
    },
  )
}

const probeFile = async (path: string, rows: ProbeRows, latencyMsBudget: number): Promise<void> => {
  const session = await openForecastSession(path)
  try {
    await probe(session, rows, { latencyMsBudget })
  } finally {
    await session.close()
  }
}

const checkFinite = (forecasts: Float32Array): void => {
  const first = forecasts.findIndex((forecast) => !Number.isFinite(forecast))
  if (first < 0) return
  throw new Failure('NOT_FINITE', `the file forecasts ${forecasts[first]} for a row of real readings`, {
    hint: 'look for a division by a deviation of zero, or a logarithm of a reading that is zero',
  })
}
