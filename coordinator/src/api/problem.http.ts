/** How the API says no: RFC 9457 problem documents that carry the protocol's codes and a hint for the operator. */

import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { Failure, type Refusal } from '@imlma/protocol/result'

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    /** Stable, for programs. */
    code: z.string(),
    /** What to do about it, for people. */
    hint: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' })
export type Problem = z.infer<typeof problemSchema>

export const problemMediaType = 'application/problem+json'

const titles: Readonly<Record<number, string>> = {
  400: 'The request cannot be read',
  401: 'Log in first',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Wrong method',
  409: 'Not possible now',
  413: 'Too large',
  415: 'Wrong media type',
  422: 'Refused',
  429: 'Too many attempts',
  500: 'The control centre failed',
  503: 'Not ready',
}

/** The answer for a refusal. */
export const problem = (c: Context, status: ContentfulStatusCode, refusal: Refusal): Response => {
  const body: Problem = {
    type: `urn:imlma:problem:${refusal.code}`,
    title: titles[status] ?? 'Refused',
    status,
    detail: refusal.message,
    code: refusal.code,
    ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
  }
  return c.body(JSON.stringify(body), status, { 'content-type': problemMediaType })
}

/** Which status a refusal's code means; whatever is not listed is a refusal of well-formed content. */
export const statusOf = (code: string): ContentfulStatusCode => {
  if (code === 'WRONG_LOGIN' || code === 'LOGIN_NEEDED' || code === 'TOKEN_UNKNOWN') return 401
  if (code === 'LOCKED' || code === 'TOO_MANY_ATTEMPTS') return 429
  if (code.startsWith('UNKNOWN_') && code !== 'UNKNOWN_KEY') return 404
  if (
    code === 'BUSY' ||
    code === 'QUEUE_FULL' ||
    code === 'ALREADY_RUNNING' ||
    code === 'COOLING_DOWN' ||
    code === 'USER_EXISTS' ||
    code === 'LAST_ADMINISTRATOR' ||
    code === 'REPLAYED'
  )
    return 409
  if (code === 'NOT_AUTHORISED' || code === 'BAD_SIGNATURE' || code === 'UNKNOWN_KEY') return 403
  if (code === 'MALFORMED' || code === 'TRUNCATED' || code === 'HASH_MISMATCH') return 400
  if (code === 'TOO_LARGE') return 413
  return 422
}

/** What broke on our side: an operator gets code and hint, never a stack. */
export const failureProblem = (c: Context, error: unknown): Response =>
  error instanceof Failure
    ? problem(c, error.retryable ? 503 : 500, {
        code: error.code,
        message: error.message,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      })
    : problem(c, 500, {
        code: 'INTERNAL',
        message: 'an unexpected error; the log of the control centre has it',
        hint: 'repeat the request; if it stays, look into the log',
      })
