/** A forecast as programs on the gateway read it: plain numbers, each quantile under the name people know it by. */

import { quantileName } from '@imlma/protocol/manifest'
import type { ListedForecast } from '../serving/forecasts.ts'

/** `quantiles.p10` has one value a step, as `values` has. */
export const toForecastView = ({ values, quantiles, ...forecast }: ListedForecast) => ({
  ...forecast,
  values: Array.from(values),
  ...(quantiles !== undefined && {
    quantiles: Object.fromEntries(
      quantiles.probabilities.map((probability, i) => [
        quantileName(probability),
        Array.from(quantiles.values.subarray(i * values.length, (i + 1) * values.length)),
      ]),
    ),
  }),
})
