/**
 * The factory version of every model: seasonal naive, the value of the last season at the same phase. It is part of the
 * program, so nothing of it lies on disk that could be damaged, lost or exchanged, and no runtime can fail under it. It
 * answers on the first day, before any version was assigned, and again where nothing verified is left of a model.
 *
 * Which value of a row that is says `row-baseline.ts`; here it becomes a model like any other. On the first day its rows
 * are one season, and what is missing there is filled by the rule for gaps: the values of a meter that are there already
 * stand for the others. In the place of a released version it takes that version's rows: who asked the one asks the other.
 */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { contractSchema, type Contract } from '@imlma/protocol/manifest'
import { invariant } from '@imlma/protocol/result'
import { createRowBaseline, type RowBaseline } from './row-baseline.ts'
import type { LoadedModel, ModelIdentity } from './serving.ts'

/** Versions that were released begin at 1. */
const factoryVersion = 0

/** No file was read, so there is none to name. */
const factoryDigest = '0'.repeat(64)

/** True for the factory version of any model. */
export const isFactory = ({ version }: Pick<ModelIdentity, 'version'>): boolean => version === factoryVersion

/** Which series a baseline forecasts: the part of a contract that any model of it shares. */
export const forecastedSchema = contractSchema
  .pick({ quantity: true, unit: true, register: true, intervalMs: true, horizon: true })
  .extend({
    /** Steps of a season: a day where the interval divides one. */
    seasonSteps: z.int().min(1).max(limits.contextLengthMax),
  })
export type Forecasted = Readonly<z.infer<typeof forecastedSchema>>

export const forecastedOf = ({ features, ...contract }: Contract): Forecasted => {
  const { quantity, unit, register, intervalMs, horizon } = contract
  return { quantity, unit, register, intervalMs, horizon, seasonSteps: features.seasonSteps }
}

export const createBaseline = (model: string, forecasted: Forecasted): LoadedModel => {
  const contract = contractOf(forecasted)
  const baseline = createRowBaseline(contract.features)
  invariant(baseline !== undefined, 'rows of past values hold past values')
  return toModel(model, contract, baseline)
}

/** In the place of `loaded`, asked as it was. Nothing where its rows hold no past value to say again. */
export const createSubstitute = ({ model, contract }: LoadedModel): LoadedModel | undefined => {
  const baseline = createRowBaseline(contract.features)
  return baseline && { ...toModel(model, contract, baseline), isSubstitute: true }
}

/** `run` costs a copy and cannot fail. */
const toModel = (model: string, contract: Contract, baseline: RowBaseline): LoadedModel => ({
  model,
  version: factoryVersion,
  sha256: factoryDigest,
  contract,
  run: async (features, rows, into = new Float32Array(rows * contract.horizon), quantilesInto) => {
    baseline(features, rows, into)
    quantilesInto?.fill(Number.NaN)
    return into
  },
  close: async () => undefined,
})

/** A row is the very values that are said again. */
const contractOf = ({ seasonSteps, ...series }: Forecasted): Contract => {
  const { horizon, intervalMs } = series
  // From one season back up to the origin, and again where the horizon is longer than a season.
  const lags = Array.from({ length: horizon }, (_, step) => seasonSteps - (step % seasonSteps))
  const shape = [null, horizon]
  return {
    task: 'forecast',
    ...series,
    contextLength: seasonSteps,
    inputs: [{ name: 'features', type: 'float32', shape }],
    outputs: [{ name: 'forecast', type: 'float32', shape }],
    features: {
      v: 1,
      intervalMs,
      horizon,
      seasonSteps,
      // One value is enough to begin with.
      missingMax: seasonSteps - 1,
      zone: [{ from: 0, offsetMs: 0 }],
      holidays: [],
      shared: [{ kind: 'lags', lags }],
      step: [],
    },
  }
}
