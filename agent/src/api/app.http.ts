/**
 * The agent's local API: what programs and technicians on the gateway ask. Loopback by default; nothing here changes
 * which model serves.
 */

import { LinearRouter } from 'hono/router/linear-router'
import { limits } from '@imlma/protocol/limits'
import type { Result } from '@imlma/protocol/result'
import type { Forecasts } from '../serving/forecasts.ts'
import type { Posted, PostOptions } from '../sources/posting.ts'
import { answerJson, parseJson, parseJsonLines, type Answer, type Asked, type Route } from './exchange.ts'
import { inferenceRoutes, type InferenceParts } from './inference-routes.ts'
import { toForecastView } from './forecast-view.ts'
import { failed, refused } from './problem.ts'

export interface ApiParts extends InferenceParts {
  readonly forecasts: Pick<Forecasts, 'list' | 'count'>
  /** Stores posted readings; throws `Failure` where the store does not take them now. */
  readonly post: (document: unknown, options: PostOptions) => Result<Posted>
  /** Loaded by whoever asks first: an agent that nobody scrapes is spared it. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly read: () => Promise<string> }>
  /** Everything a technician asks first, as one document. */
  readonly status: () => object
  readonly onFailed: (cause: unknown) => void
}

interface Options {
  /** Bytes of a request: 4,096 rows of 96 numbers as text. */
  readonly bodyBytesMax?: number
  /** Bytes of readings posted at a time. */
  readonly postBytesMax?: number
}

export interface App {
  /** Answers whatever is asked; never throws. */
  readonly answer: (asked: Asked) => Promise<Answer>
  /** A body is not read beyond this: what is longer is refused. */
  readonly bodyBytesMax: number
}

export const createApp = (parts: ApiParts, options: Options = {}): App => {
  const { bodyBytesMax = 8_388_608, postBytesMax = limits.packetBytesMax } = options
  const router = new LinearRouter<Route['answer']>()
  for (const { method, path, answer } of routesOf(parts, postBytesMax)) router.add(method, path, answer)

  const answer = async ({ method, url, body, headerLength }: Asked): Promise<Answer> => {
    if (body.length > bodyBytesMax) return tooLarge(bodyBytesMax)
    const place = URL.parse(url, 'http://agent')
    const [found] = place === null ? [] : router.match(method, place.pathname)[0]
    if (place === null || found === undefined) {
      return refused({ code: 'NOT_FOUND', message: `nothing at ${method} ${url}` })
    }
    const [route, params] = found
    return route({ params: params as Record<string, string>, query: place.searchParams, body, headerLength })
  }
  return {
    bodyBytesMax,
    answer: (asked) =>
      answer(asked).catch((cause: unknown) => {
        parts.onFailed(cause)
        return failed(cause)
      }),
  }
}

const routesOf = (parts: ApiParts, postBytesMax: number): readonly Route[] => [
  ...inferenceRoutes(parts),
  {
    method: 'POST',
    path: '/readings',
    answer: ({ body, query }) => {
      if (body.length > postBytesMax) return tooLarge(postBytesMax)
      // JSON, or one JSON document a line (NDJSON), whatever the request calls it.
      const document = parseJson(body)
      const lines = document === undefined ? parseJsonLines(body) : undefined
      const stored = parts.post(lines ?? document, {
        historical: query.get('historical') === 'true',
        isLines: lines !== undefined,
        source: query.get('source') ?? undefined,
      })
      return stored.ok ? answerJson(stored.value, 201) : refused(stored.refusal)
    },
  },
  {
    method: 'GET',
    path: '/forecasts',
    answer: ({ query }) => {
      const [model, meter] = [query.get('model') ?? undefined, query.get('meter') ?? undefined]
      const found = parts.forecasts.list({ model, meter })
      const shown = found.slice(0, forecastsShown(query.get('limit')))
      return answerJson({ total: found.length, forecasts: shown.map(toForecastView) })
    },
  },
  {
    method: 'GET',
    path: '/metrics',
    answer: async () => {
      const { contentType, read } = await parts.metrics()
      return { status: 200, headers: { 'content-type': contentType }, body: await read() }
    },
  },
  { method: 'GET', path: '/status', answer: () => answerJson(parts.status()) },
]

const tooLarge = (bytesMax: number): Answer =>
  refused({
    code: 'TOO_LARGE',
    message: `a request has at most ${bytesMax} bytes here`,
    hint: 'send less at a time',
  })

/** Forecasts of one answer: 1,000 meters of 96 steps are about a megabyte of JSON. */
const forecastsMax = 1_000

const forecastsShown = (limit: string | null): number => {
  const wanted = Number(limit ?? forecastsMax)
  return Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, forecastsMax) : forecastsMax
}
