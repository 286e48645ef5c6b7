/**
 * Runs the challengers in shadow: what the champion has just forecast for everybody, the challenger forecasts for nobody,
 * from the same origin, for the same meters, with its own features.
 *
 *   champion's batch ─note─▶ queue ──champions rest──▶ a few rows ─▶ one short run ─▶ pairs (monitoring)
 *                                                          ▲──────── next rows ────┘
 *
 * The champion comes first: nothing here runs before its round is over, and never longer than a few rows at a time,
 * because a run holds this thread. A challenger that is too slow for its origins loses the oldest ones; they are counted.
 */

import { createFeatureBuilder, type FeatureBuilder } from '@imlma/protocol/features'
import type { ActiveModels } from './active-models.ts'
import { rowsAt, type ForecastHistory } from './feature-rows.ts'
import type { ForecastBatch } from './forecaster.ts'
import type { LoadedModel, ModelIdentity } from './serving.ts'
import { chooseSteps, createShadowQueue, toShadowJob, type ShadowJob } from './shadow-queue.ts'

/** Forecasts of both for the same meters and steps from one origin. */
export interface PairedForecasts extends Omit<ShadowJob, 'register'> {
  readonly challenger: ModelIdentity
  /** meters × steps; NaN where there is no number. */
  readonly challengerValues: Float32Array
}

export interface ShadowCounts {
  readonly runs: number
  readonly rows: number
  readonly failures: number
  /** Rows that were not run: too many gaps for the challenger; it was too slow; it forecasts another series. */
  readonly rowsSkipped: number
  readonly rowsDropped: number
  readonly rowsUnlike: number
}

export interface ShadowRunner {
  /** The champion's batch; what is kept of it is copied. */
  readonly note: (batch: ForecastBatch) => void
  readonly counts: () => ShadowCounts
  /** Resolves when what was noted has been run. */
  readonly idle: () => Promise<void>
  readonly stop: () => Promise<void>
}

interface Parts {
  /** What runs in shadow, kept like what is active. */
  readonly models: Pick<ActiveModels, 'active' | 'lease'>
  readonly history: Pick<ForecastHistory, 'read' | 'readCovariate'>
  /** Lets everything else of this thread go first; resolves when no champion is at work. */
  readonly rest: () => Promise<void>
  /** The steps that are compared. */
  readonly steps: (intervalMs: number, horizon: number) => readonly number[]
  readonly onBatch: (batch: ForecastBatch) => void
  readonly onPaired: (paired: PairedForecasts) => void
  /** Once for each batch that fails. */
  readonly onFailed?: (model: ModelIdentity, cause: unknown) => void
}

interface Options {
  /** Rows of one run: 64 rows of the models of a gateway run in less than a millisecond. */
  readonly rowsPerRun?: number
  /** Rows built before everything else goes first: about 1 ms. */
  readonly rowsPerTurn?: number
  /** Forecast values of champions that wait for their pair: 1 MB, 80 origins of 1,000 meters. */
  readonly valuesMax?: number
}

export const createShadowRunner = (parts: Parts, options: Options = {}): ShadowRunner => {
  const { models, history, rest, steps, onBatch, onPaired, onFailed } = parts
  const { rowsPerRun = 64, rowsPerTurn = 16, valuesMax = 250_000 } = options
  const counts = { runs: 0, rows: 0, failures: 0, rowsSkipped: 0, rowsDropped: 0, rowsUnlike: 0 }
  const builders = new Map<string, { readonly sha256: string; readonly builder: FeatureBuilder }>()
  const queue = createShadowQueue(valuesMax)
  let block = new Float32Array(0)
  let answers = new Float32Array(0)
  let working = Promise.resolve()
  let isWorking = false
  let stopped = false

  const builderOf = ({ model, sha256, contract }: LoadedModel): FeatureBuilder => {
    const known = builders.get(model)
    if (known?.sha256 === sha256) return known.builder
    const builder = createFeatureBuilder(contract.features)
    builders.set(model, { sha256, builder })
    return builder
  }

  /** Writes the rows of the job's meters `from ≤ i < to`; returns which of them could be written. */
  const writeRows = async (builder: FeatureBuilder, job: ShadowJob, from: number, to: number) => {
    if (block.length < rowsPerRun * builder.count) block = new Float32Array(rowsPerRun * builder.count)
    const writeRow = rowsAt(history, builder, job.register, job.origin)
    const written: number[] = []
    for (let index = from; index < to; index++) {
      if (index > from && (index - from) % rowsPerTurn === 0) await rest()
      if (writeRow(job.meters[index] as string, block, written.length)) written.push(index)
      else counts.rowsSkipped += 1
    }
    return written
  }

  const run = async (model: LoadedModel, features: Float32Array, rows: number): Promise<Float32Array> => {
    const length = rows * model.contract.horizon
    if (answers.length < length) answers = new Float32Array(length)
    counts.runs += 1
    counts.rows += rows
    return model.run(features, rows, answers.subarray(0, length))
  }

  const runJob = async (job: ShadowJob, model: LoadedModel): Promise<void> => {
    const builder = builderOf(model)
    const { register, origin, meters } = job
    const { version, sha256, contract } = model
    const challenger = { model: job.model, version, sha256 }
    const goesOn = (): boolean => !stopped && models.active(job.model)?.sha256 === sha256
    let failure: { readonly cause: unknown } | undefined
    for (let from = 0; from < meters.length && goesOn(); from += rowsPerRun) {
      const written = await writeRows(builder, job, from, Math.min(from + rowsPerRun, meters.length))
      if (written.length === 0) continue
      const features = block.subarray(0, written.length * builder.count)
      const values = await run(model, features, written.length).catch((cause: unknown) => {
        counts.failures += 1
        failure ??= { cause }
        return undefined
      })
      const own = written.map((index) => meters[index] as string)
      if (values !== undefined) {
        onBatch({ ...challenger, register, builder, origin, meters: own, features, values })
      }
      onPaired(toPaired(job, challenger, written, values, contract.horizon))
      await rest()
    }
    if (failure !== undefined) onFailed?.(challenger, failure.cause)
  }

  const next = async (): Promise<ShadowJob | undefined> => {
    await rest()
    return stopped ? undefined : queue.take()
  }
  const work = async (): Promise<void> => {
    for (let job = await next(); job !== undefined; job = await next()) {
      const lease = models.lease(job.model)
      if (lease !== undefined) await runJob(job, lease.model).finally(lease.release)
    }
  }
  const wake = (): void => {
    if (isWorking || stopped || queue.isEmpty()) return
    isWorking = true
    working = work().finally(() => {
      isWorking = false
      // Something may have been noted while the last look was under way.
      wake()
    })
  }

  return {
    note: (batch) => {
      const contract = models.active(batch.model)?.contract
      if (contract === undefined || stopped) return
      const { spec, horizon } = batch.builder
      if (contract.register !== batch.register || contract.intervalMs !== spec.intervalMs) {
        counts.rowsUnlike += batch.meters.length
        return
      }
      const compared = steps(spec.intervalMs, Math.min(horizon, contract.horizon))
      counts.rowsDropped += queue.add(toShadowJob(batch, compared))
      wake()
    },
    counts: () => ({ ...counts }),
    idle: () => working,
    stop: async () => {
      stopped = true
      await working
    },
  }
}

/** `written`: which of the job's meters were run; `values`: their rows × horizon, none where the run failed. */
const toPaired = (
  noted: ShadowJob,
  challenger: ModelIdentity,
  written: readonly number[],
  values: Float32Array | undefined,
  horizon: number,
): PairedForecasts => {
  const { register: _, ...job } = noted
  const { steps, meters, championValues } = job
  const width = steps.length
  const own = new Float32Array(written.length * width)
  for (const [row, index] of written.entries()) {
    own.set(championValues.subarray(index * width, (index + 1) * width), row * width)
  }
  return {
    ...job,
    challenger,
    meters: written.map((index) => meters[index] as string),
    championValues: own,
    challengerValues:
      values === undefined
        ? new Float32Array(own.length).fill(Number.NaN)
        : chooseSteps(values, horizon, written.length, steps),
  }
}
