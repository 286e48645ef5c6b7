/**
 * One training from the frozen snapshot to the artifact: verify → split → build examples → train → export → run the
 * exported file and compare it with the trainer. Runs inside the training process.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '@imlma/protocol/limits'
import { errorSumsOf, metricsOf } from '@imlma/protocol/metrics'
import { sha256, writeDurably } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { endOf } from '@imlma/protocol/series'
import type { SnapshotContent } from '../datasets/snapshot.ts'
import { openSnapshot } from '../datasets/snapshot.fs.ts'
import { splitTraining } from '../datasets/split.ts'
import { parityOf } from './parity.ts'
import { createLearnerParts } from './parts.onnx.ts'
import type { Examples } from './examples.ts'
import { parityMax, type TrainingJob, type TrainingOutcome, type TrainingTask } from './job.ts'
import { choose, type StudyListener } from './auto/choose.clock.ts'
import type { TrainedModel, TrainingRun } from './learner.ts'
import { encodeModel } from './model.protobuf.ts'
import { prepareExamples } from './prepare.ts'
import { defaultFeatureSpec } from './recipe.ts'
import { referenceOf } from './reference.ts'
import { openForecastSession } from './session.onnx.ts'

/** Rows on which trainer and file are compared: the trainer's own forecast is slow. */
const parityRowsMax = 2_048

/** Rows per run of the exported file. */
const batchRows = 1_024

/**
 * Throws `Failure` DATASET_CHANGED, DATASET_MISSING, UNKNOWN_LEARNER, BAD_PARAMETERS, NO_SERIES, TOO_FEW_ROWS,
 * FEATURES_MISSING, LOAD_FAILED, PARITY; the signal's reason when it is aborted.
 */
export const runTrainingJob = async (
  job: TrainingJob,
  run: Omit<TrainingRun, 'seed'> & StudyListener,
): Promise<TrainingOutcome> => {
  const started = performance.now()
  const snapshot = await openSnapshot(job.dataset.path, job.dataset.sha256)
  run.onProgress({ phase: 'load', fraction: 0 })
  const content = seriesOf(snapshot, job.task)
  const split = splitTraining({ start: snapshot.window.start, trainEnd: snapshot.trainEnd }, job.task)
  const recipe = job.task.features ?? recipeFor(content, job.task)
  const parts = await createLearnerParts()
  const chosen = await choose(job, { content, split, recipe, parts }, run)
  const { learner, parameters, spec } = chosen
  run.onProgress({ phase: 'examples', fraction: 0 })
  const examples = prepareExamples(content, spec, split, job.task)
  const trained = await learner.train(parts, examples, parameters, { ...run, seed: job.seed })
  run.onProgress({ phase: 'export', fraction: 1 })
  const artifact = await writeArtifact(
    job.outputFolder,
    encodeModel(trained.graph, { learner: learner.name }),
  )
  const { builder, train, validation } = examples
  const exported = await runExported(artifact.artifactPath, train, builder.count)
  const parity = await checkParity(trained, train, exported, builder.count)
  return {
    ...artifact,
    learner: learner.name,
    ...(chosen.study === undefined ? {} : { study: chosen.study }),
    parameters: trained.parameters as Record<string, unknown>,
    metrics: {
      train: metricsOf(errorSumsOf(exported, train.targets)),
      validation: metricsOf(trained.validation),
    },
    features: spec,
    golden: goldenOf(train, exported, builder.count, builder.horizon),
    parity,
    reference: referenceOf(
      content.series,
      { start: split.train.start, end: snapshot.trainEnd },
      trained.residuals,
    ),
    rows: { train: train.rows, validation: validation.rows },
    dropped: {
      tooManyMissing: train.dropped.tooManyMissing + validation.dropped.tooManyMissing,
      covariateMissing: train.dropped.covariateMissing + validation.dropped.covariateMissing,
      targetMissing: train.dropped.targetMissing + validation.dropped.targetMissing,
    },
    originStride: examples.originStride,
    trainEnd: snapshot.trainEnd,
    seconds: (performance.now() - started) / 1_000,
  }
}

/** The exported file against the trainer on rows spread over the training part. Throws `Failure` PARITY. */
const checkParity = async (
  trained: TrainedModel,
  { features, rows }: Examples,
  exported: Float32Array,
  count: number,
): Promise<number> => {
  const horizon = exported.length / rows
  const checked = Math.min(rows, parityRowsMax)
  const some = new Float32Array(checked * count)
  const theirs = new Float32Array(checked * horizon)
  for (let i = 0; i < checked; i++) {
    const row = Math.floor((i * rows) / checked)
    some.set(features.subarray(row * count, (row + 1) * count), i * count)
    theirs.set(exported.subarray(row * horizon, (row + 1) * horizon), i * horizon)
  }
  const parity = parityOf(theirs, await trained.forecast(some, checked), horizon)
  if (!(parity <= parityMax)) {
    throw new Failure('PARITY', `the exported file differs from the trainer by ${parity} (relative)`, {
      hint: 'meters of very different size need a normalisation with a scale; else this is a defect of the learner',
    })
  }
  return parity
}

/** The series of the task. Throws `Failure` NO_SERIES. */
export const seriesOf = (snapshot: SnapshotContent, { register, intervalMs }: TrainingTask) => {
  const series = snapshot.series.filter((one) => one.register === register && one.intervalMs === intervalMs)
  if (series.length > 0) return { series, covariates: snapshot.covariates, trainEnd: snapshot.trainEnd }
  throw new Failure('NO_SERIES', `the snapshot holds no series ${register} at ${intervalMs} ms`, {
    hint: 'check the register and the interval of the model',
  })
}

const recipeFor = ({ series, trainEnd }: ReturnType<typeof seriesOf>, task: TrainingTask) => {
  const lengths = series.map((one) => (Math.min(endOf(one), trainEnd) - one.start) / task.intervalMs)
  // The median meter decides: a meter that was added yesterday must not take the week away from all others.
  const historySteps = Math.floor(lengths.toSorted((a, b) => a - b)[lengths.length >>> 1] ?? 0)
  return defaultFeatureSpec({ ...task, historySteps })
}

/** Forecasts of all rows, in batches. */
export const runExported = async (
  path: string,
  { features, rows }: Examples,
  count: number,
): Promise<Float32Array> => {
  const session = await openForecastSession(path)
  try {
    const parts: Float32Array[] = []
    for (let first = 0; first < rows; first += batchRows) {
      const last = Math.min(rows, first + batchRows)
      parts.push(await session.run(features.subarray(first * count, last * count), last - first))
    }
    const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  } finally {
    await session.close()
  }
}

/** Rows spread evenly over the training part, so that meters and seasons are among them. */
export const goldenOf = (
  train: Examples,
  exported: Float32Array,
  count: number,
  horizon: number,
): TrainingOutcome['golden'] =>
  Array.from({ length: limits.goldenVectorsMin }, (_, i) => {
    const row = Math.floor(((i + 0.5) * train.rows) / limits.goldenVectorsMin)
    return {
      input: train.features.slice(row * count, (row + 1) * count),
      output: exported.slice(row * horizon, (row + 1) * horizon),
    }
  })

const writeArtifact = async (folder: string, content: Uint8Array) => {
  await mkdir(folder, { recursive: true })
  const digest = sha256(content)
  const artifactPath = join(folder, digest)
  await writeDurably(artifactPath, content)
  return { artifactPath, sha256: digest, bytes: content.length }
}
