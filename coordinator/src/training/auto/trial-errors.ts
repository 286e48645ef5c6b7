/**
 * What a model got wrong on the validation parts of all folds, row by row, so that models can be averaged on paper.
 * Models with a longer look-back have fewer rows: what is compared is what all of them have.
 */
import type { Examples } from '../examples.ts'
import type { TrainedModel } from '../learner.ts'

export interface TrialErrors {
  /** forecast − actual, rows × H. */
  readonly residuals: Float32Array
  /** Fold, meter and origin of every row. */
  readonly rows: readonly string[]
}

export const noErrors: TrialErrors = { residuals: new Float32Array(0), rows: [] }

/** One more fold behind those that are known; undefined where the learner judged itself on some of its rows only. */
export const withFold = (
  known: TrialErrors,
  { residuals }: Pick<TrainedModel, 'residuals'>,
  { rows, targets, series, origins }: Pick<Examples, 'rows' | 'targets' | 'series' | 'origins'>,
  fold: number,
): TrialErrors | undefined => {
  if (residuals.length !== targets.length) return undefined
  const all = new Float32Array(known.residuals.length + residuals.length)
  all.set(known.residuals)
  all.set(residuals, known.residuals.length)
  const own = Array.from({ length: rows }, (_, row) => `${fold} ${series[row]} ${origins[row]}`)
  return { residuals: all, rows: [...known.rows, ...own] }
}

/** The residuals of each on the rows that all of them have, in one order. */
export const onCommonRows = (errors: readonly TrialErrors[]): readonly Float32Array[] => {
  const [first, ...others] = errors
  if (first === undefined) return []
  const places = others.map(({ rows }) => new Map(rows.map((row, place) => [row, place])))
  const common = first.rows.flatMap((row, place) => {
    const elsewhere = places.map((known) => known.get(row))
    return elsewhere.includes(undefined) ? [] : [[place, ...(elsewhere as number[])]]
  })
  return errors.map(({ residuals, rows }, i) => {
    const horizon = residuals.length / Math.max(1, rows.length)
    const kept = new Float32Array(common.length * horizon)
    common.forEach((row, at) => {
      const place = row[i] as number
      kept.set(residuals.subarray(place * horizon, (place + 1) * horizon), at * horizon)
    })
    return kept
  })
}
