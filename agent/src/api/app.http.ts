/**
 * The agent's local API: what programs and technicians on the gateway ask. Loopback by default; nothing here changes
 * which model serves.
 */

import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Forecast, Forecasts } from '../serving/forecasts.ts'
import { createInferenceRoutes, type InferenceParts } from './inference.http.ts'
import { failed, refused } from './problem.http.ts'

export interface ApiParts extends InferenceParts {
  readonly forecasts: Pick<Forecasts, 'list' | 'count'>
  /** Where readings are taken in, below `/readings`; absent where nobody may post any. */
  readonly readings?: Hono | undefined
  readonly metrics: { readonly contentType: string; readonly read: () => Promise<string> }
  /** Everything a technician asks first, as one document. */
  readonly status: () => object
  readonly onFailed: (cause: unknown) => void
}

interface Options {
  /** Bytes of a request: 4,096 rows of 96 numbers as text. */
  readonly bodyBytesMax?: number
}

export const createApp = (parts: ApiParts, { bodyBytesMax = 8_388_608 }: Options = {}): Hono => {
  const app = new Hono()
  app.use(
    bodyLimit({
      maxSize: bodyBytesMax,
      onError: (c) =>
        refused(c, { code: 'TOO_LARGE', message: `a request has at most ${bodyBytesMax} bytes` }),
    }),
  )
  app.route('/v2', createInferenceRoutes(parts))
  if (parts.readings !== undefined) app.route('/readings', parts.readings)
  app.get('/forecasts', (c) => {
    const { model, meter, limit } = c.req.query()
    const found = parts.forecasts.list({ model, meter })
    const shown = found.slice(0, forecastsShown(limit))
    return c.json({ total: found.length, forecasts: shown.map(toForecastView) })
  })
  app.get('/metrics', async (c) =>
    c.body(await parts.metrics.read(), 200, { 'content-type': parts.metrics.contentType }),
  )
  app.get('/status', (c) => c.json(parts.status()))
  app.notFound((c) => refused(c, { code: 'NOT_FOUND', message: `nothing at ${c.req.method} ${c.req.path}` }))
  app.onError((error, c) => {
    parts.onFailed(error)
    return failed(c, error)
  })
  return app
}

/** Forecasts of one answer: 1,000 meters of 96 steps are about a megabyte of JSON. */
const forecastsMax = 1_000

const forecastsShown = (limit: string | undefined): number => {
  const wanted = Number(limit ?? forecastsMax)
  return Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, forecastsMax) : forecastsMax
}

const toForecastView = ({ values, ...forecast }: Forecast) => ({ ...forecast, values: Array.from(values) })
