/** A contract that fits a tiny model: `features` lags in, `horizon` steps out, one register. */

import type { Contract } from '@imlma/protocol/manifest'

interface TinyContract {
  readonly features: number
  readonly horizon: number
  readonly intervalMs?: number
  readonly register?: string
  readonly unit?: string
  /** Steps of a season. */
  readonly seasonSteps?: number
  readonly quantiles?: readonly number[]
}

export const tinyContract = ({
  features,
  horizon,
  intervalMs = 900_000,
  register = '1-0:1.8.0',
  unit = 'kW',
  seasonSteps = 4,
  quantiles = [],
}: TinyContract): Contract => ({
  task: 'forecast',
  quantity: 'active power',
  unit,
  register,
  intervalMs,
  contextLength: features,
  horizon,
  inputs: [{ name: 'features', type: 'float32', shape: [null, features] }],
  outputs: [
    { name: 'forecast', type: 'float32', shape: [null, horizon] },
    ...(quantiles.length === 0
      ? []
      : [{ name: 'quantiles', type: 'float32' as const, shape: [null, quantiles.length, horizon] }]),
  ],
  ...(quantiles.length > 0 && { quantiles: [...quantiles] }),
  features: {
    v: 1,
    intervalMs,
    horizon,
    seasonSteps,
    missingMax: Math.floor(features / 4),
    zone: [{ from: 0, offsetMs: 0 }],
    holidays: [],
    shared: [{ kind: 'lags', lags: Array.from({ length: features }, (_, i) => i + 1) }],
    step: [],
  },
})
