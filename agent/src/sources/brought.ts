/** Under which registers, at which interval and in which unit readings come, as far as the configuration says so. */

import type { SourceConfig } from './config.ts'
import { keptUnitOf } from './intake/values.ts'
import type { Source, SourceSeries } from './source.ts'

export type BroughtSeries = Omit<SourceSeries, 'meter'>

/** Of a source that maps what others write, its mapping: which meters there are shows later. */
export const broughtBy = (config: SourceConfig, source: Pick<Source, 'series'>): readonly BroughtSeries[] =>
  'values' in config
    ? config.values.map((value) => ({
        register: value.register,
        intervalMs: value.intervalMs,
        unit: keptUnitOf(value) ?? null,
      }))
    : source.series
