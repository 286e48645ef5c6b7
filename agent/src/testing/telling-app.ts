/** The local API with one model that answers twice what it is given, and a list of what broke inside. */

import { createApp } from '../api/app.http.ts'
import { createActiveModels } from '../serving/active-models.ts'
import { createBatcher } from '../serving/batcher.ts'
import { createForecasts } from '../serving/forecasts.ts'
import { tinyContract } from '../serving/testing/tiny-contract.ts'
import { parsePosted } from '../sources/posted-readings.ts'
import { accept } from '@imlma/protocol/result'

export const tellingApp = () => {
  const models = createActiveModels({ load: () => Promise.reject(new Error('unused')), now: () => 0 })
  models.activate({
    model: 'load',
    version: 3,
    sha256: 'a'.repeat(64),
    contract: tinyContract({ features: 2, horizon: 2, quantiles: [] }),
    run: (features) => Promise.resolve(features.map((value) => value * 2)),
    close: () => Promise.resolve(),
  })
  const failures: unknown[] = []
  const app = createApp(
    {
      models,
      batcher: createBatcher({ models, now: () => 0, defer: (callback) => void setImmediate(callback) }),
      ready: () => true,
      agentVersion: '0',
      forecasts: createForecasts({ now: () => 0 }),
      post: (document) => {
        const posted = parsePosted(document, { register: '1-0:1.8.0', intervalMs: 900_000 })
        return posted.ok ? accept({ stored: posted.value.length }) : posted
      },
      metrics: () => Promise.resolve({ contentType: 'text/plain', read: () => Promise.resolve('') }),
      status: () => ({}),
      onFailed: (cause) => failures.push(cause),
    },
    { bodyBytesMax: 10_000, postBytesMax: 10_000 },
  )
  return { app, failures }
}
