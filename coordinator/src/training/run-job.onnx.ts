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
import { makeAffordable } from './auto/affordable.onnx.ts'
import { choose, type Chosen, type Choosing, type StudyListener } from './auto/choose.clock.ts'
import { choicesOf } from './feature-choices.ts'
import type { FeatureLayout, TrainedModel, TrainingRun } from './learner.ts'
import { encodeModel } from './model.protobuf.ts'
import { prepareExamples } from './prepare.ts'
import { featureChoices } from './recipe.ts'
import { withQuantiles } from './ranged.ts'
import { referenceOf } from './reference.ts'
import { openForecastSession } from './session.onnx.ts'
import { evenPlaces, rowsAt } from './some-rows.ts'

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
  const features =
    job.task.features === undefined
      ? featureChoices({ ...job.task, historySteps: historyOf(content, job.task) })
      : choicesOf({ given: job.task.features })
  const parts = await createLearnerParts()
  const choice = await choose(job, { content, split, features, parts }, run)
  const make = (chosen: Chosen): Promise<Made> => makeModel(job, { content, split, parts }, chosen, run)
  const { chosen, trained, artifact, examples } = await makeAffordable(choice, make, job.task)
  const { learner, spec } = chosen
  const { builder, train, validation } = examples
  const exported = await runExported(artifact.artifactPath, train, builder.count)
  const some = rowsAt(train, builder, evenPlaces(train.rows, Math.min(train.rows, parityRowsMax)))
  const parity = await checkParity(trained, artifact.artifactPath, some, builder)
  return {
    ...artifact,
    learner: learner.name,
    ...(choice.study === undefined ? {} : { study: choice.study }),
    parameters: trained.parameters as Record<string, unknown>,
    metrics: {
      train: metricsOf(errorSumsOf(exported, train.targets)),
      validation: metricsOf(trained.validation),
    },
    features: spec,
    golden: await withGoldenQuantiles(
      goldenOf(train, exported, builder.count, builder.horizon),
      artifact.artifactPath,
      trained,
    ),
    ...(trained.quantiles && { quantiles: [...trained.quantiles.probabilities] }),
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

interface Made {
  readonly chosen: Chosen
  readonly examples: ReturnType<typeof prepareExamples>
  readonly trained: TrainedModel
  readonly artifact: Awaited<ReturnType<typeof writeArtifact>>
}

const makeModel = async (
  job: TrainingJob,
  { content, split, parts }: Omit<Choosing, 'features'>,
  chosen: Chosen,
  run: Omit<TrainingRun, 'seed'>,
): Promise<Made> => {
  const { learner, parameters, spec } = chosen
  run.onProgress({ phase: 'examples', fraction: 0 })
  const examples = prepareExamples(content, spec, split, job.task)
  const seeded = { ...run, seed: job.seed }
  const point = await learner.train(parts, examples, parameters, seeded)
  const trained = await withQuantiles(point, job.task.quantiles ?? [], parts, examples, seeded)
  run.onProgress({ phase: 'export', fraction: 1 })
  const artifact = await writeArtifact(
    job.outputFolder,
    encodeModel(trained.graph, { learner: learner.name }),
  )
  return { chosen, examples, trained, artifact }
}

/** The exported file against the trainer, both outputs. Throws `Failure` PARITY. */
const checkParity = async (
  trained: TrainedModel,
  path: string,
  { features, rows }: Pick<Examples, 'features' | 'rows'>,
  { horizon }: FeatureLayout,
): Promise<number> => {
  const session = await openForecastSession(path)
  try {
    const forecasts = parityOf(
      await session.run(features, rows),
      await trained.forecast(features, rows),
      horizon,
    )
    const quantiles =
      trained.quantiles === undefined
        ? 0
        : parityOf(
            await session.quantiles(features, rows),
            await trained.quantiles.forecast(features, rows),
            horizon,
          )
    const parity = Math.max(forecasts, quantiles)
    if (parity <= parityMax) return parity
    throw new Failure('PARITY', `the exported file differs from the trainer by ${parity} (relative)`, {
      hint: 'meters of very different size need a normalisation with a scale; else this is a defect of the learner',
    })
  } finally {
    await session.close()
  }
}

/** Quantiles to as many golden vectors as a manifest has room for. */
const withGoldenQuantiles = async (
  golden: TrainingOutcome['golden'],
  path: string,
  { quantiles }: TrainedModel,
): Promise<TrainingOutcome['golden']> => {
  if (quantiles === undefined) return golden
  const session = await openForecastSession(path)
  try {
    let room: number = limits.quantileValuesMax
    const ranged = []
    for (const vector of golden) {
      const own = await session.quantiles(vector.input, 1)
      room -= own.length
      ranged.push(room < 0 ? vector : { ...vector, quantiles: own })
    }
    return ranged
  } finally {
    await session.close()
  }
}

/** The series of the task. Throws `Failure` NO_SERIES. */
export const seriesOf = (snapshot: SnapshotContent, { register, intervalMs }: TrainingTask) => {
  const series = snapshot.series.filter((one) => one.register === register && one.intervalMs === intervalMs)
  if (series.length > 0) return { series, covariates: snapshot.covariates, trainEnd: snapshot.trainEnd }
  throw new Failure('NO_SERIES', `the snapshot holds no series ${register} at ${intervalMs} ms`, {
    hint: 'check the register and the interval of the model',
  })
}

const historyOf = (
  { series, trainEnd }: ReturnType<typeof seriesOf>,
  { intervalMs }: TrainingTask,
): number => {
  const lengths = series.map((one) => (Math.min(endOf(one), trainEnd) - one.start) / intervalMs)
  // The median meter decides: a meter that was added yesterday must not take the week away from all others.
  return Math.floor(lengths.toSorted((a, b) => a - b)[lengths.length >>> 1] ?? 0)
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
