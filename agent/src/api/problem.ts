/** How the local API says no: RFC 9457 problem documents with a stable code, and a hint for the operator. */

import { Failure, type Refusal } from '@imlma/protocol/result'
import type { Answer } from './exchange.ts'

const titles: Readonly<Record<number, string>> = {
  400: 'The request cannot be read',
  404: 'Not found',
  413: 'Too large',
  422: 'Refused',
  429: 'Too many requests',
  500: 'The agent failed',
  503: 'Not ready',
}

/** A disk or a model needs a while; a queue has room again within milliseconds, and a second is the least one can say. */
const retryAfterS: Readonly<Record<number, string>> = { 429: '1', 503: '5' }

/** The answer for a refusal. `error` repeats the detail where clients of the inference protocol look for it. */
const problem = (status: number, refusal: Refusal): Answer => {
  const body = {
    type: `urn:imlma:problem:${refusal.code}`,
    title: titles[status] ?? 'Refused',
    status,
    detail: refusal.message,
    code: refusal.code,
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
    error: refusal.message,
  }
  const headers = { 'content-type': 'application/problem+json' }
  // What will pass by itself is asked again, and not at once.
  return {
    status,
    headers: retryAfterS[status] === undefined ? headers : { ...headers, 'retry-after': retryAfterS[status] },
    body: JSON.stringify(body),
  }
}

const statuses: Readonly<Record<string, number>> = {
  MALFORMED: 400,
  OFF_GRID: 400,
  MODEL_NOT_FOUND: 404,
  VERSION_NOT_SERVED: 404,
  NOT_FOUND: 404,
  NO_SUCH_SOURCE: 404,
  TOO_LARGE: 413,
  OVERLOADED: 429,
  RUN_FAILED: 500,
  NOT_FINITE: 500,
}

/** Which status a code means; whatever is not listed refuses well-formed content. */
export const refused = (refusal: Refusal): Answer => problem(statuses[refusal.code] ?? 422, refusal)

/** What broke on our side: code and hint, never a stack. */
export const failed = (error: unknown): Answer => {
  if (!(error instanceof Failure)) {
    return problem(500, { code: 'INTERNAL', message: 'an unexpected error; the log of the agent has it' })
  }
  const { code, message, hint, retryable } = error
  return problem(retryable ? 503 : 500, { code, message, ...(hint === undefined ? {} : { hint }) })
}
