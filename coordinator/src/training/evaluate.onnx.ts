/**
 * How good are model files on a window? Each gets its own features and is run through ONNX Runtime as an agent would
 * run it; all are judged on exactly the same rows, those that every one of them can forecast.
 */
import { createFeatureBuilder, type FeatureBuilder, type FeatureSpec } from '@imlma/protocol/features'
import { Failure } from '@imlma/protocol/result'
import type { SnapshotContent } from '../datasets/snapshot.ts'
import type { TimeRange } from '../datasets/split.ts'
import {
  buildExamples,
  placesOf,
  type DroppedRows,
  type Examples,
  type RowPlace,
  shareFor,
  thinned,
} from './examples.ts'
import { createScoreKeeper, type Score, type ScoreKeeper } from './score.ts'
import { openForecastSession, type ForecastSession } from './session.onnx.ts'

export interface Contender {
  readonly path: string
  readonly spec: FeatureSpec
}

export interface EvaluationWindow {
  readonly range: TimeRange
  /** Every how many intervals a forecast is made. */
  readonly originStride: number
  /** Rows; where there are more, an even share of them is taken. */
  readonly rowsMax?: number
  /** Season of the baseline, in steps; the spec's own where it is left out. */
  readonly baselineSeasonSteps?: number
}

export type EvaluationTask = Contender & EvaluationWindow

export interface Evaluation extends Score {
  /** Rows that one of the contenders could not forecast; the same for all. */
  readonly dropped: DroppedRows
  /** Median over the batched runs, per row. */
  readonly millisecondsPerRow: number
}

/** Rows per run: keeps the memory of a long window flat. */
const batchRows = 1_024

interface Judged {
  readonly path: string
  readonly builder: FeatureBuilder
  readonly session: ForecastSession
  readonly keeper: ScoreKeeper
  /** Milliseconds per row of each batch. */
  readonly durations: number[]
}

/** One evaluation per contender, in order. Throws `Failure` NO_ROWS, LOAD_FAILED, CONTRACT_MISMATCH. */
export const evaluateModels = async (
  content: Pick<SnapshotContent, 'series' | 'covariates'>,
  contenders: readonly Contender[],
  window: EvaluationWindow,
): Promise<readonly Evaluation[]> => {
  const judged: Judged[] = []
  const dropped: DroppedRows = { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 }
  try {
    for (const { path, spec } of contenders) judged.push(await openContender(path, spec, window))
    const places = commonPlaces(content, judged, window)
    for (let first = 0; first < places.length; first += batchRows) {
      const batch = commonExamples(content, judged, places.slice(first, first + batchRows), dropped)
      for (const [i, one] of judged.entries()) await judge(one, batch[i] as Examples, content)
    }
  } finally {
    for (const { session } of judged) await session.close()
  }
  return judged.map(({ keeper, durations }) => {
    const score = keeper.score()
    if (score.rows > 0) return { ...score, dropped, millisecondsPerRow: medianOf(durations) }
    throw new Failure('NO_ROWS', 'the evaluation window holds no complete row', {
      hint: 'look at the dropped rows: readings or covariates are missing in the window',
    })
  })
}

/** One model alone. */
export const evaluateModel = async (
  content: Pick<SnapshotContent, 'series' | 'covariates'>,
  { path, spec, ...window }: EvaluationTask,
): Promise<Evaluation> => (await evaluateModels(content, [{ path, spec }], window))[0] as Evaluation

const openContender = async (path: string, spec: FeatureSpec, window: EvaluationWindow): Promise<Judged> => ({
  path,
  builder: createFeatureBuilder(spec),
  keeper: createScoreKeeper(spec.horizon, window.baselineSeasonSteps ?? spec.seasonSteps),
  session: await openForecastSession(path),
  durations: [],
})

/** Where the contender that needs the longest past can forecast. */
const commonPlaces = (
  content: Pick<SnapshotContent, 'series'>,
  judged: readonly Judged[],
  { range, originStride, rowsMax = Infinity }: EvaluationWindow,
): readonly RowPlace[] => {
  const horizons = new Set(judged.map(({ builder }) => builder.horizon))
  if (horizons.size !== 1)
    throw new Failure('CONTRACT_MISMATCH', 'models of different horizons cannot be compared')
  const places = judged
    .map(({ builder }) => placesOf(content, builder, range, originStride))
    .reduce((fewest, more) => (more.length < fewest.length ? more : fewest))
  const intervalMs = content.series[0]?.intervalMs ?? 1
  return thinned(places, intervalMs, shareFor(places.length, rowsMax))
}

/** Examples per contender, all of the same rows in the same order. */
const commonExamples = (
  content: Pick<SnapshotContent, 'series' | 'covariates'>,
  judged: readonly Judged[],
  places: readonly RowPlace[],
  dropped: DroppedRows,
): readonly Examples[] => {
  let common = places
  const made = judged.map(({ builder }) => {
    const examples = buildExamples(content, builder, common, 'any')
    for (const key of ['tooManyMissing', 'covariateMissing', 'targetMissing'] as const)
      dropped[key] += examples.dropped[key]
    common = Array.from(examples.series, (series, row) => ({
      series,
      origin: examples.origins[row] as number,
    }))
    return examples
  })
  // What a later contender could not use is taken from the earlier ones as well.
  return made.map((examples, i) =>
    examples.rows === common.length
      ? examples
      : buildExamples(content, (judged[i] as Judged).builder, common, 'any'),
  )
}

const judge = async (
  { path, builder, session, keeper, durations }: Judged,
  examples: Examples,
  { series }: Pick<SnapshotContent, 'series'>,
): Promise<void> => {
  if (examples.rows === 0) return
  const started = performance.now()
  const forecasts = await session.run(examples.features, examples.rows)
  durations.push((performance.now() - started) / examples.rows)
  if (forecasts.length !== examples.rows * builder.horizon) {
    throw new Failure('CONTRACT_MISMATCH', `${path} forecasts another horizon than ${builder.horizon}`)
  }
  keeper.add(series, examples, forecasts)
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >>> 1] ?? 0
