/**
 * From a snapshot to examples: one row of features and one row of targets per meter and origin. Rows whose context
 * or targets are too incomplete are dropped and counted, never repaired.
 */
import type { FeatureBuilder } from '@imlma/protocol/features'
import { indexAt, timeAt } from '@imlma/protocol/series'
import { invariant } from '@imlma/protocol/result'
import type { SnapshotContent, SnapshotSeries } from '../datasets/snapshot.ts'
import type { TimeRange } from '../datasets/split.ts'

export interface DroppedRows {
  tooManyMissing: number
  covariateMissing: number
  targetMissing: number
}

export interface Examples {
  readonly rows: number
  /** rows × F, raw units. */
  readonly features: Float32Array
  /** rows × H, raw units; NaN only where `targets` is `any`. */
  readonly targets: Float32Array
  /** Per row: the index of its series in the snapshot, and its origin. */
  readonly series: Uint32Array
  readonly origins: Float64Array
  readonly dropped: DroppedRows
}

export interface ExampleOptions {
  /** Every how many intervals an origin lies, counted from 1970: the same origins whatever the window. */
  readonly originStride: number
  /** `complete` drops a row with any missing target; `any` keeps it if one target is there. */
  readonly targets: 'complete' | 'any'
}

/** Where a row comes from. */
export interface RowPlace {
  readonly series: number
  readonly origin: number
}

/**
 * The origins of all series whose targets lie wholly inside the range; by series, then by time. A series starts to
 * count once as much of it is there as a context needs at the least.
 */
export const placesOf = (
  content: Pick<SnapshotContent, 'series'>,
  { horizon, contextLength, spec }: Pick<FeatureBuilder, 'horizon' | 'contextLength' | 'spec'>,
  range: TimeRange,
  originStride: number,
): readonly RowPlace[] =>
  content.series.flatMap((one, series) => {
    const places: RowPlace[] = []
    const { intervalMs } = one
    const known = Math.max(1, contextLength - spec.missingMax)
    let origin = timeAt(one, Math.max(known, indexAt(one, range.start + intervalMs - 1)))
    for (; origin + horizon * intervalMs <= range.end; origin += intervalMs) {
      if (Math.floor(origin / intervalMs) % originStride === 0) places.push({ series, origin })
    }
    return places
  })

/** The series the builder's covariates read, found by register. */
const covariatesFor = (
  content: Pick<SnapshotContent, 'covariates'>,
  builder: FeatureBuilder,
): readonly SnapshotSeries[] =>
  builder.covariateNames.map((name) => {
    const found = content.covariates.find(({ register }) => register === name)
    invariant(found !== undefined, `the snapshot has the covariate ${name}`)
    return found
  })

/** Examples at these places. Memory: rows × (F + H) × 4 bytes. */
export const buildExamples = (
  content: Pick<SnapshotContent, 'series' | 'covariates'>,
  builder: FeatureBuilder,
  places: readonly RowPlace[],
  targets: ExampleOptions['targets'],
): Examples => {
  const { count, horizon } = builder
  const covariates = covariatesFor(content, builder)
  const features = new Float32Array(places.length * count)
  const values = new Float32Array(places.length * horizon)
  const series = new Uint32Array(places.length)
  const origins = new Float64Array(places.length)
  const dropped: DroppedRows = { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 }
  let rows = 0
  for (const place of places) {
    const one = content.series[place.series]
    invariant(one !== undefined, 'a place names a series of the snapshot')
    const missing = copyTargets(values, rows * horizon, one, place.origin, horizon)
    if (targets === 'complete' ? missing > 0 : missing === horizon) {
      dropped.targetMissing += 1
      continue
    }
    const outcome = builder.writeRow(features, rows * count, one, place.origin, covariates)
    if (outcome === 'too-many-missing') dropped.tooManyMissing += 1
    else if (outcome === 'covariate-missing') dropped.covariateMissing += 1
    else {
      series[rows] = place.series
      origins[rows] = place.origin
      rows += 1
    }
  }
  return {
    rows,
    features: features.subarray(0, rows * count),
    targets: values.subarray(0, rows * horizon),
    series: series.subarray(0, rows),
    origins: origins.subarray(0, rows),
    dropped,
  }
}

/** Weyl's additive recurrence with the golden ratio: no other number spreads its multiples more evenly. */
const golden = (Math.sqrt(5) - 1) / 2

/** Share of `places` to keep so that about `rowsMax` are left. */
export const shareFor = (places: number, rowsMax: number): number =>
  Math.min(1, rowsMax / Math.max(1, places))

/**
 * That share of the places, the same ones whenever they are asked for. A stride would do too, but one that shares no
 * factor with the intervals of a day and a week throws most rows away, and one that does misses times of day; here
 * every time of day and of week, and every series, keeps its share.
 */
export const thinned = (
  places: readonly RowPlace[],
  intervalMs: number,
  share: number,
): readonly RowPlace[] =>
  share >= 1
    ? places
    : places.filter(({ series, origin }) => {
        const turns = (Math.floor(origin / intervalMs) + 97 * series) * golden
        return turns - Math.floor(turns) < share
      })

/** Copies the targets from `origin` on and returns how many are missing. */
const copyTargets = (
  target: Float32Array,
  offset: number,
  series: SnapshotSeries,
  origin: number,
  horizon: number,
): number => {
  const first = indexAt(series, origin)
  let missing = 0
  for (let i = 0; i < horizon; i++) {
    const value = series.values[first + i] ?? Number.NaN
    if (Number.isNaN(value)) missing += 1
    target[offset + i] = value
  }
  return missing
}
