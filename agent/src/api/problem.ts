/** How the local API says no: RFC 9457 problem documents with a stable code, and a hint for the operator. */

import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { Failure, type Refusal } from '@imlma/protocol/result'

const titles: Readonly<Record<number, string>> = {
  400: 'The request cannot be read',
  404: 'Not found',
  413: 'Too large',
  422: 'Refused',
  500: 'The agent failed',
  503: 'Not ready',
}

/** The answer for a refusal. `error` repeats the detail where clients of the inference protocol look for it. */
const problem = (c: Context, status: ContentfulStatusCode, refusal: Refusal): Response => {
  const body = {
    type: `urn:imlma:problem:${refusal.code}`,
    title: titles[status] ?? 'Refused',
    status,
    detail: refusal.message,
    code: refusal.code,
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
    error: refusal.message,
  }
  return c.body(JSON.stringify(body), status, { 'content-type': 'application/problem+json' })
}

const statuses: Readonly<Record<string, ContentfulStatusCode>> = {
  MALFORMED: 400,
  MODEL_NOT_FOUND: 404,
  VERSION_NOT_SERVED: 404,
  NOT_FOUND: 404,
  TOO_LARGE: 413,
  OVERLOADED: 503,
  RUN_FAILED: 500,
  NOT_FINITE: 500,
}

/** Which status a code means; whatever is not listed refuses well-formed content. */
export const refused = (c: Context, refusal: Refusal): Response =>
  problem(c, statuses[refusal.code] ?? 422, refusal)

/** What broke on our side: code and hint, never a stack. */
export const failed = (c: Context, error: unknown): Response => {
  if (!(error instanceof Failure)) {
    return problem(c, 500, { code: 'INTERNAL', message: 'an unexpected error; the log of the agent has it' })
  }
  const { code, message, hint, retryable } = error
  return problem(c, retryable ? 503 : 500, { code, message, ...(hint === undefined ? {} : { hint }) })
}
