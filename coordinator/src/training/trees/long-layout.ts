/**
 * Forecasting several steps with one ensemble: a row [shared | step 1 | … | step H] becomes H long rows
 * [shared | own step's columns | number of the step], one target each. With a horizon of 1 a long row is the row.
 */
import type { FeatureLayout } from '../learner.ts'

export interface LongLayout {
  readonly horizon: number
  /** Columns of a long row. */
  readonly width: number
  readonly names: readonly string[]
  readonly roles: FeatureLayout['roles']
  /** The last column where there is more than one step; null where not. */
  readonly stepColumn: number | null
  /** The column of the wide row that a long column of this step (from 0 on) is read from; not for the step column. */
  readonly wideColumn: (column: number, step: number) => number
}

export const longLayoutOf = ({
  sharedCount,
  stepCount,
  horizon,
  names,
  roles,
}: Pick<FeatureLayout, 'sharedCount' | 'stepCount' | 'horizon' | 'names' | 'roles'>): LongLayout => {
  const own = sharedCount + stepCount
  const numbered = horizon > 1
  return {
    horizon,
    width: own + (numbered ? 1 : 0),
    names: [
      ...names.slice(0, own).map((name, i) => (i < sharedCount ? name : name.replace(/^step \d+ /, ''))),
      ...(numbered ? ['step'] : []),
    ],
    roles: [...roles.slice(0, own), ...(numbered ? (['plain'] as const) : [])],
    stepColumn: numbered ? own : null,
    wideColumn: (column, step) => (column < sharedCount ? column : column + step * stepCount),
  }
}
