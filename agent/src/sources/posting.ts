/** `POST /readings` (mounted there): readings from whoever is on this machine, answered when they are on disk. */

import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { limits } from '@imlma/protocol/limits'
import { Failure, type Refusal } from '@imlma/protocol/result'
import { countReadings } from '../outbox/batches.ts'
import { parsePosted, type PostedDefaults } from './posted-readings.ts'
import { simulatedDefaults } from './simulated.ts'
import type { ReadingSink } from './source.ts'

/**
 * 201 `{stored}`; `?historical=true` says that the readings are older than live ones. Otherwise an RFC 9457 problem with
 * a `code`: MALFORMED and OFF_GRID 400, TOO_LARGE 413, NO_SPACE and STORE_FAILED 503 (post again later).
 */
export const createReadingsApi = (
  sink: Pick<ReadingSink, 'append'>,
  defaults: PostedDefaults = simulatedDefaults,
): Hono => {
  const api = new Hono()
  const tooLarge: Refusal = {
    code: 'TOO_LARGE',
    message: `a post holds at most ${limits.packetBytesMax} bytes`,
    hint: 'post fewer readings at a time',
  }
  api.post(
    '/',
    bodyLimit({ maxSize: limits.packetBytesMax, onError: () => problem(413, tooLarge) }),
    async (context) => {
      const body: unknown = await context.req.json().catch(() => undefined)
      const posted = parsePosted(body, defaults)
      if (!posted.ok) return problem(400, posted.refusal)
      try {
        sink.append(posted.value, { historical: context.req.query('historical') === 'true' })
      } catch (failure) {
        if (failure instanceof Failure && failure.retryable) return problem(503, failure)
        throw failure
      }
      return context.json({ stored: countReadings(posted.value) }, 201)
    },
  )
  return api
}

const problem = (
  status: number,
  {
    code,
    message,
    hint,
  }: { readonly code: string; readonly message: string; readonly hint?: string | undefined },
): Response =>
  new Response(JSON.stringify({ type: 'about:blank', title: code, status, code, detail: message, hint }), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...(status === 503 ? { 'retry-after': '5' } : {}),
    },
  })
