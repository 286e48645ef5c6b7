/**
 * Everything that can be found against the readings of one series, as one column of bits.
 *
 *   range → counters → frozen → duplicates → folds → history
 *
 * History comes last: what is wrong already must not shape what counts as normal.
 */

import type { IntervalSeries } from '@imlma/protocol/series'
import type { QualityMask } from './checks.ts'
import { flagCounters } from './counters.ts'
import { flagDuplicates } from './duplicates.ts'
import { flagFolds } from './folds.ts'
import { flagFrozen } from './frozen.ts'
import { flagImplausible } from './history.ts'
import { flagRange } from './range.ts'
import type { QualityRules } from './rules.ts'

/** One mask per value, see `checks.ts`; the series is not changed. */
export const inspectSeries = (series: IntervalSeries, rules: QualityRules): QualityMask => {
  const { values, intervalMs } = series
  const mask: QualityMask = new Uint16Array(values.length)
  flagRange(values, rules.cumulative ? { ...rules, valueMax: Number.POSITIVE_INFINITY } : rules, mask)
  if (rules.cumulative) return inspectGrowths(series, rules, mask)
  flagFrozen(values, { readingsMin: rules.frozenReadingsMin, allowZero: rules.allowZero }, mask)
  flagDuplicates(values, intervalMs, mask)
  flagFolds(series, rules.zone, mask)
  flagImplausible(series, rules.zone, mask)
  return mask
}

/** A counter that stands still is a load of zero; it is its growths that freeze, return and are too high. */
const inspectGrowths = (series: IntervalSeries, rules: QualityRules, mask: QualityMask): QualityMask => {
  const growths = { ...series, values: flagCounters(series.values, mask) }
  const found: QualityMask = new Uint16Array(mask.length)
  flagRange(growths.values, { allowNegative: true, valueMax: rules.valueMax }, found)
  flagFrozen(growths.values, { readingsMin: rules.frozenReadingsMin, allowZero: rules.allowZero }, found)
  flagDuplicates(growths.values, series.intervalMs, found)
  flagFolds(growths, rules.zone, found)
  flagImplausible(growths, rules.zone, found)
  // A growth that is not known is not a reading that is not there.
  for (let i = 0; i < mask.length; i++) mask[i] = (mask[i] as number) | ((found[i] as number) & ~1)
  return mask
}
