/** The local API with its parts, listening. */

import { isFactory } from '../serving/baseline.ts'
import { createBatcher } from '../serving/batcher.ts'
import type { LoadedModel } from '../serving/serving.ts'
import { createApp, type ApiParts } from './app.http.ts'
import type { AgentFigures, createMetrics } from './metrics.prom.ts'
import { listen, type ApiServer } from './server.http.ts'

interface Parts extends Pick<ApiParts, 'forecasts' | 'post' | 'agentVersion' | 'status' | 'onFailed'> {
  readonly models: ApiParts['models'] & Parameters<typeof createBatcher>[0]['models']
  readonly figures: () => AgentFigures
  /** Told of every request. */
  readonly onAsked: () => void
}

/** Throws `Failure` PORT_TAKEN, LISTEN_FAILED. */
export const startApi = (
  { models, figures, onAsked, ...parts }: Parts,
  address: { readonly host: string; readonly port: number },
): Promise<ApiServer> => {
  // Whoever asks for a model by its name means the inputs of a released version: the factory version of the first day
  // forecasts only, and answers here in the place of a version that is gone, by the inputs of that one.
  const isAskable = (model: LoadedModel): boolean => !isFactory(model) || model.isSubstitute === true
  const askable: ApiParts['models'] = {
    active: (name) => {
      const model = models.active(name)
      return model !== undefined && isAskable(model) ? model : undefined
    },
    models: () => models.models().filter(isAskable),
  }
  let metrics: Promise<ReturnType<typeof createMetrics>> | undefined
  const app = createApp({
    ...parts,
    models: askable,
    batcher: createBatcher({
      models,
      now: () => performance.now(),
      defer: (callback) => void setImmediate(callback),
    }),
    // Only what answered its golden vectors is ever activated.
    ready: () => !models.models().every(isFactory),
    metrics: () => (metrics ??= import('./metrics.prom.ts').then((room) => room.createMetrics(figures))),
  })
  const answer: typeof app.answer = (asked) => {
    onAsked()
    return app.answer(asked)
  }
  return listen({ ...app, answer }, address)
}
