/**
 * When an interval of readings closes, every meter gets a forecast: all feature rows are written into one reused
 * block and answered by one run.
 *
 *   readings ─note─▶ frontier ──closed──▶ rows of all meters ──one run──▶ forecasts ─▶ listeners (monitoring)
 *
 * When it is called is the timer's business (`forecaster.timer.ts`). Old readings that arrive late close nothing.
 */

import { createFeatureBuilder } from '@imlma/protocol/features'
import type { FeatureBuilder } from '@imlma/protocol/features'
import { quantilesOf } from '@imlma/protocol/manifest'
import type { ActiveModels, Lease } from './active-models.ts'
import { rowsAt, type ForecastHistory } from './feature-rows.ts'
import type { Forecast, Quantiles } from './forecasts.ts'
import {
  createIntervalFrontier,
  originsDue,
  type FrontierOptions,
  type IntervalFrontier,
} from './interval-frontier.ts'
import type { LoadedModel, ModelIdentity } from './serving.ts'

/**
 * Everything one model forecast from one origin; version 0 where the baseline had to answer for it. `features` is reused, and `values` kept would be half a megabyte of
 * long-lived garbage for every origin: both are valid during the call only.
 */
export interface ForecastBatch extends ModelIdentity {
  readonly register: string
  readonly builder: FeatureBuilder
  readonly origin: number
  /** One row each of `features` (rows × F) and `values` (rows × H). */
  readonly meters: readonly string[]
  readonly features: Float32Array
  readonly values: Float32Array
  /** Rows × Q × H where the model has quantiles; they may hold what is no number. */
  readonly quantiles?: Quantiles
}

/** Readings of a model's register are complete, as far as they will be, before `end`. */
export interface ClosedInterval {
  readonly model: string
  readonly register: string
  readonly intervalMs: number
  readonly end: number
}

export interface ForecasterCounts {
  readonly runs: number
  readonly rows: number
  /** Rows left out: too many gaps, or a covariate that is not known. */
  readonly rowsSkipped: number
  readonly originsSkipped: number
  readonly failures: number
}

export interface Forecaster {
  /** New readings of one series reach up to `end`. Backlog is not noted: it was true long ago. */
  readonly note: (meter: string, register: string, intervalMs: number, end: number) => void
  /** Forecasts every origin that is due, for every active model. Not to be called again before it ends. */
  readonly run: () => Promise<void>
  readonly counts: () => ForecasterCounts
}

interface Parts {
  readonly models: Pick<ActiveModels, 'models' | 'lease'>
  readonly history: ForecastHistory
  readonly now: () => number
  /** Lets other work of this thread go first. */
  readonly turn: () => Promise<void>
  readonly onForecast: (forecast: Forecast) => void
  readonly onBatch?: (batch: ForecastBatch) => void
  readonly onClosed?: (closed: ClosedInterval) => void
  readonly onFailed?: (model: ModelIdentity, cause: unknown) => void
}

interface Options extends Omit<FrontierOptions, 'intervalMs'> {
  /** Origins forecast at once when several intervals close together; beyond, only the latest. */
  readonly originsMax?: number
  /** Bytes of the block of feature rows: 8 MB hold 1,000 meters with 2,000 features in one run. */
  readonly featureBytesMax?: number
  /** Rows built before other work goes first: about 5 ms with 96 lags and a day of calendar terms. */
  readonly rowsPerTurn?: number
}

/** What is remembered per model name: which version it was, and how far it has forecast. */
interface Progress {
  readonly sha256: string
  readonly builder: FeatureBuilder
  done: number | undefined
}

export const createForecaster = (parts: Parts, options: Options = {}): Forecaster => {
  const { models, history, now, turn, onForecast, onBatch, onClosed, onFailed } = parts
  const { originsMax = 4, featureBytesMax = 8_388_608, rowsPerTurn = 64, ...frontierOptions } = options
  const frontiers = new Map<string, IntervalFrontier>()
  const progress = new Map<string, Progress>()
  const counts = { runs: 0, rows: 0, rowsSkipped: 0, originsSkipped: 0, failures: 0 }
  let block = new Float32Array(0)
  let answers = new Float32Array(0)
  let ranges = new Float32Array(0)

  const frontierOf = (register: string, intervalMs: number): IntervalFrontier => {
    const key = keyOf(register, intervalMs)
    const known = frontiers.get(key)
    if (known !== undefined) return known
    const frontier = createIntervalFrontier({ ...frontierOptions, intervalMs })
    for (const { meter, end } of history.meters(register, intervalMs)) frontier.note(meter, end, now())
    frontiers.set(key, frontier)
    return frontier
  }

  const progressOf = ({ model, sha256, contract }: LoadedModel): Progress => {
    const known = progress.get(model)
    if (known?.sha256 === sha256) return known
    // A new version starts at the latest origin: what its predecessor forecast is not forecast again.
    const fresh: Progress = { sha256, builder: createFeatureBuilder(contract.features), done: undefined }
    progress.set(model, fresh)
    return fresh
  }

  /** Writes rows for as many meters as fit, from `first` on; returns where it stopped. */
  const writeRows = async (
    builder: FeatureBuilder,
    register: string,
    origin: number,
    meters: readonly { meter: string }[],
    first: number,
  ): Promise<{ readonly next: number; readonly written: readonly string[] }> => {
    const fit = Math.max(1, Math.floor(featureBytesMax / 4 / builder.count))
    const wanted = Math.min(fit, meters.length - first) * builder.count
    if (block.length < wanted) block = new Float32Array(wanted)
    const written: string[] = []
    const writeRow = rowsAt(history, builder, register, origin)
    let next = first
    for (; next < meters.length && written.length < fit; next++) {
      if (next > first && next % rowsPerTurn === 0) await turn()
      const { meter } = meters[next] as { meter: string }
      if (writeRow(meter, block, written.length)) written.push(meter)
      else counts.rowsSkipped += 1
    }
    return { next, written }
  }

  const forecast = async (
    { model, answer }: Lease,
    builder: FeatureBuilder,
    origin: number,
  ): Promise<void> => {
    const { register, intervalMs, horizon, unit } = model.contract
    const meters = history.meters(register, intervalMs)
    for (let first = 0; first < meters.length;) {
      const { next, written } = await writeRows(builder, register, origin, meters, first)
      first = next
      if (written.length === 0) continue
      const features = block.subarray(0, written.length * builder.count)
      const length = written.length * horizon
      if (answers.length < length) answers = new Float32Array(length)
      const probabilities = quantilesOf(model.contract)
      const rangeLength = length * probabilities.length
      if (ranges.length < rangeLength) ranges = new Float32Array(rangeLength)
      const range = rangeLength > 0 ? ranges.subarray(0, rangeLength) : undefined
      const answered = await answer(features, written.length, answers.subarray(0, length), range)
      const { values, madeBy } = answered
      const quantiles = range && { probabilities, values: range }
      counts.runs += 1
      counts.rows += written.length
      const { model: name } = model
      const { version } = madeBy
      written.forEach((meter, row) => {
        const own = values.subarray(row * horizon, (row + 1) * horizon)
        const around = rangeOf(quantiles, row, horizon)
        onForecast({ model: name, version, madeBy, meter, origin, intervalMs, unit, values: own, ...around })
      })
      onBatch?.({
        model: name,
        version,
        sha256: madeBy.kind === 'model' ? madeBy.sha256 : model.sha256,
        register,
        builder,
        origin,
        meters: written,
        features,
        values,
        ...(quantiles && { quantiles }),
      })
    }
  }

  const runModel = async (lease: Lease): Promise<void> => {
    const { model } = lease
    const { register, intervalMs } = model.contract
    const reached = progressOf(model)
    const end = frontierOf(register, intervalMs).closed(now())
    if (end === undefined || (reached.done !== undefined && end <= reached.done)) return
    const due = originsDue(reached.done, end, intervalMs, originsMax)
    if (reached.done !== undefined) {
      counts.originsSkipped += Math.floor((end - reached.done) / intervalMs) - due.length
    }
    // Moved before the runs: an origin that fails is not tried for ever.
    reached.done = end
    onClosed?.({ model: model.model, register, intervalMs, end })
    for (const origin of due) await forecast(lease, reached.builder, origin)
  }

  return {
    note: (meter, register, intervalMs, end) => {
      // Only registers that a model forecasts are followed; the others are read from history once one does.
      frontiers.get(keyOf(register, intervalMs))?.note(meter, end, now())
    },
    run: async () => {
      for (const { model } of models.models()) {
        const lease = models.lease(model)
        if (lease === undefined) continue
        try {
          await runModel(lease)
        } catch (cause) {
          counts.failures += 1
          onFailed?.(lease.model, cause)
        } finally {
          lease.release()
        }
      }
    },
    counts: () => ({ ...counts }),
  }
}

const keyOf = (register: string, intervalMs: number): string => `${register}/${intervalMs}`

/** The quantiles of one row; none where one of them is no number: the forecast itself is still worth having. */
const rangeOf = (
  quantiles: Quantiles | undefined,
  row: number,
  horizon: number,
): Pick<Forecast, 'quantiles'> => {
  if (quantiles === undefined) return {}
  const { probabilities, values } = quantiles
  const size = probabilities.length * horizon
  const own = values.subarray(row * size, (row + 1) * size)
  return own.every(Number.isFinite) ? { quantiles: { probabilities, values: own } } : {}
}
