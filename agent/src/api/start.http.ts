/** The local API with its parts, listening. */

import { isFactory } from '../serving/baseline.ts'
import { createBatcher } from '../serving/batcher.ts'
import { createApp, type ApiParts } from './app.http.ts'
import type { AgentFigures, createMetrics } from './metrics.prom.ts'
import { listen, type ApiServer } from './server.http.ts'

interface Parts extends Pick<ApiParts, 'forecasts' | 'post' | 'agentVersion' | 'status' | 'onFailed'> {
  readonly models: ApiParts['models'] & Parameters<typeof createBatcher>[0]['models']
  readonly figures: () => AgentFigures
}

/** Throws `Failure` PORT_TAKEN, LISTEN_FAILED. */
export const startApi = (
  { models, figures, ...parts }: Parts,
  address: { readonly host: string; readonly port: number },
): Promise<ApiServer> => {
  let metrics: Promise<ReturnType<typeof createMetrics>> | undefined
  const app = createApp({
    ...parts,
    models,
    batcher: createBatcher({ models, defer: (callback) => void setImmediate(callback) }),
    // Only what answered its golden vectors is ever activated, but for the factory version: that one proves nothing.
    ready: () => models.models().some((model) => !isFactory(model)),
    metrics: () => (metrics ??= import('./metrics.prom.ts').then((room) => room.createMetrics(figures))),
  })
  return listen(app, address)
}
