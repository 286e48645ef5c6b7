/**
 * Keeps something serving for every model that this gateway knows: while no released version answers, the factory
 * version does. The deployment machine knows nothing of it: what it takes away leaves the factory version behind, asked as
 * the version was that is gone. So nobody who asks notices more than who answers: not while the previous version is
 * restored for one that was quarantined, which takes as long as its file takes to hash and to load.
 */

import type { ActiveModels } from './active-models.ts'
import { createBaseline, createSubstitute, forecastedOf, isFactory, type Forecasted } from './baseline.ts'

/** By model. */
export type ForecastedSeries = Readonly<Record<string, Forecasted>>

interface Parts {
  readonly models: ActiveModels
  /** What each model forecasts, as it was learned before or is configured. */
  readonly known: ForecastedSeries
  /** Another version of a model has said what it forecasts: to be known at the next start, too. */
  readonly learn: (known: ForecastedSeries) => void
}

/** The same models, with the factory version wherever nothing else answers. */
export const withFactory = ({ models, known, learn }: Parts): ActiveModels => {
  let series = known
  const standIn = (model: string): void => {
    const forecasted = Object.hasOwn(series, model) ? series[model] : undefined
    if (forecasted !== undefined) models.activate(createBaseline(model, forecasted))
  }
  for (const model of Object.keys(known)) standIn(model)
  return {
    ...models,
    activate: (loaded) => {
      models.activate(loaded)
      if (isFactory(loaded)) return
      const forecasted = forecastedOf(loaded.contract)
      if (Object.hasOwn(series, loaded.model) && isSame(series[loaded.model], forecasted)) return
      series = { ...series, [loaded.model]: forecasted }
      learn(series)
    },
    deactivate: (model) => {
      const gone = models.active(model)
      if (gone !== undefined && isFactory(gone)) return
      const substitute = gone && createSubstitute(gone)
      if (substitute !== undefined) models.activate(substitute)
      else if (Object.hasOwn(series, model)) standIn(model)
      else models.deactivate(model)
    },
  }
}

const isSame = (a: Forecasted | undefined, b: Forecasted): boolean =>
  a !== undefined && (Object.keys(b) as (keyof Forecasted)[]).every((key) => a[key] === b[key])
