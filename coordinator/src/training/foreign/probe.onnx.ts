/**
 * Does a file from elsewhere behave as a forecast must: the same answer to the same row, whatever rows stand beside
 * it and however often it is asked, and soon enough? Asked with rows of real features, before it is judged by anybody.
 */
import { Failure } from '@imlma/protocol/result'
import type { ForecastSession } from '../session.onnx.ts'
import { evenPlaces } from '../some-rows.ts'

export interface ProbeRows {
  /** rows × F, row-major. */
  readonly features: Float32Array
  readonly rows: number
  readonly horizon: number
}

export interface ProbeOptions {
  /** Of one forecast. */
  readonly latencyMsBudget: number
  /** Allowed |difference| of a row alone and in a batch, relative to max(1, |output|): other kernels, other rounding. */
  readonly batchTolerance?: number
}

/** Rows that are asked alone and together: enough to find a mean over the batch, a neighbour, a position. */
const probeRowsMax = 32
/** Runs of one row, and those before them that are not measured. */
const timedRuns = 60
const warmUpRuns = 5

/** Throws `Failure` RUN_FAILED, CONTRACT_MISMATCH, NOT_DETERMINISTIC, BATCH_DEPENDENT, LATENCY. */
export const probe = async (
  session: ForecastSession,
  { features, rows, horizon }: ProbeRows,
  { latencyMsBudget, batchTolerance = 1e-4 }: ProbeOptions,
): Promise<void> => {
  const columns = features.length / rows
  const count = Math.min(rows, probeRowsMax)
  const places = evenPlaces(rows, count)
  const rowAt = (place: number): Float32Array => features.slice(place * columns, (place + 1) * columns)
  const some = new Float32Array(count * columns)
  places.forEach((place, i) => some.set(rowAt(place), i * columns))

  const together = await answer(session, some, count, horizon)
  const again = await answer(session, some, count, horizon)
  const changed = together.findIndex((value, i) => !Object.is(value, again[i]))
  if (changed >= 0) {
    throw new Failure(
      'NOT_DETERMINISTIC',
      `the same rows gave ${together[changed]} and then ${again[changed]}`,
      { hint: 'export the model for inference: without dropout, noise or a state that it keeps' },
    )
  }
  for (const [i, place] of places.entries()) {
    const alone = await answer(session, rowAt(place), 1, horizon)
    checkAlone(alone, together.subarray(i * horizon, (i + 1) * horizon), batchTolerance)
  }
  await checkLatency(session, rowAt(places[0] as number), latencyMsBudget)
}

/** A median, for the machine has other work besides: what a gateway takes at p99 is measured there, before it serves. */
const checkLatency = async (session: ForecastSession, row: Float32Array, budget: number): Promise<void> => {
  const durations: number[] = []
  for (let run = 0; run < warmUpRuns + timedRuns; run++) {
    const started = performance.now()
    await session.run(row, 1)
    if (run >= warmUpRuns) durations.push(performance.now() - started)
    // A file that takes seconds is known to be too slow long before the last run.
    if (durations.length >= 5 && medianOf(durations) > 4 * budget) break
  }
  const median = medianOf(durations)
  if (median <= budget) return
  throw new Failure('LATENCY', `a forecast takes ${median.toFixed(2)} ms, ${budget} ms are allowed`, {
    hint: 'make the model smaller, or raise latencyMsBudget of the model’s definition',
  })
}

const checkAlone = (alone: Float32Array, inBatch: Float32Array, tolerance: number): void => {
  const different = alone.findIndex((value, i) => {
    const other = inBatch[i] as number
    // Neither is a number: that is said by another check. Written so that one NaN alone is a difference.
    if (Number.isNaN(value) && Number.isNaN(other)) return false
    if (value === other) return false
    return !(Math.abs(value - other) <= tolerance * Math.max(1, Math.abs(other)))
  })
  if (different < 0) return
  throw new Failure(
    'BATCH_DEPENDENT',
    `a row alone gives ${alone[different]}, beside others ${inBatch[different]}`,
    {
      hint: 'no operator may mix rows: export batch normalisation for inference, and no mean over the batch',
    },
  )
}

const answer = async (
  session: ForecastSession,
  features: Float32Array,
  rows: number,
  horizon: number,
): Promise<Float32Array> => {
  const forecasts = await session.run(features, rows).catch((cause: unknown) => {
    if (cause instanceof Failure) throw cause
    throw new Failure('RUN_FAILED', `the file gives no forecast for ${rows} rows`, {
      cause,
      hint: 'the batch must be a free dimension throughout, also where the graph reshapes',
    })
  })
  if (forecasts.length === rows * horizon) return forecasts
  throw new Failure(
    'CONTRACT_MISMATCH',
    `${rows} rows gave ${forecasts.length} values, not ${rows} × ${horizon}`,
  )
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >>> 1] ?? 0
