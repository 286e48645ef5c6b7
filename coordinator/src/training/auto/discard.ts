/**
 * Which trials are not finished? `median`: after every block of the validation but the last, those worse than the
 * median of the others. `halving`: on shares of the first block's training rows that grow by a factor of three, only
 * the best third goes on (then the median rule, block by block). What is decided follows from the study's state, so
 * that a study that is taken up again decides the same.
 */
import {
  createMedianRule,
  createSuccessiveHalving,
  type Pruner,
  type PrunerReport,
} from '../../tuning/pruner.ts'
import type { StudyState } from '../../tuning/study-state.ts'

export type Discarding = 'none' | 'median' | 'halving'

/** Of the first block's training rows; the last rung of halving is all of them. */
export const rungs = [1 / 9, 1 / 3]

/** Resources: a rung is its share, a block its number. */
export const createDiscarding = (kind: Discarding, { trials }: StudyState): Pick<Pruner, 'report'> => {
  const reports = trials.flatMap(({ number, outcome }) =>
    outcome === undefined || outcome.kind === 'failed'
      ? []
      : (outcome.onTheWay ?? []).map(([resource, value]): PrunerReport => ({
          trial: number,
          resource,
          value,
        })),
  )
  if (kind === 'none') return { report: () => 'continue' }
  const median = createMedianRule({ reports: reports.filter(({ resource }) => resource >= 1) })
  if (kind === 'median') return median
  const halving = createSuccessiveHalving({
    resourceMin: rungs[0] as number,
    reports: reports.filter(({ resource }) => resource < 1),
  })
  return {
    report: (trial, resource, value) => (resource < 1 ? halving : median).report(trial, resource, value),
  }
}
