/** The feature rows of one origin, meter by meter: what every model reads of the stored readings, champion or shadow. */

import { contextLengthOf, covariateHistoryOf, type FeatureBuilder } from '@imlma/protocol/features'
import type { IntervalSeries } from '@imlma/protocol/series'

/** What forecasting reads of the stored readings. */
export interface ForecastHistory {
  /** Meters with readings of this register, and the first time after their last one. */
  readonly meters: (register: string, intervalMs: number) => readonly { meter: string; end: number }[]
  /** Values with `from ≤ time < to`; NaN is missing, also where the series does not reach. Valid until the next call. */
  readonly read: (
    meter: string,
    register: string,
    intervalMs: number,
    from: number,
    to: number,
  ) => IntervalSeries
  /**
   * The same for a covariate, which is found by its register: the site has one temperature, not each meter. At the
   * model's interval or the one it has; its values stay valid.
   */
  readonly readCovariate: (register: string, intervalMs: number, from: number, to: number) => IntervalSeries
}

/** Writes the row of `meter` as number `row` of `block` (rows × F); false where it has too many gaps. */
type WriteRow = (meter: string, block: Float32Array, row: number) => boolean

export const rowsAt = (
  history: Pick<ForecastHistory, 'read' | 'readCovariate'>,
  builder: FeatureBuilder,
  register: string,
  origin: number,
): WriteRow => {
  const { spec, horizon, covariateNames, count } = builder
  const { intervalMs } = spec
  const [from, to] = [origin - covariateHistoryOf(spec) * intervalMs, origin + horizon * intervalMs]
  const covariates = covariateNames.map((name) => history.readCovariate(name, intervalMs, from, to))
  const reach = contextLengthOf(spec) * intervalMs
  return (meter, block, row) => {
    const series = history.read(meter, register, intervalMs, origin - reach, origin)
    return builder.writeRow(block, row * count, series, origin, covariates) === 'ok'
  }
}
