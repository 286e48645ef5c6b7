/** A request and its answer as values, so that what the local API says is told without a server. */

import { limits } from '@imlma/protocol/limits'

export interface Asked {
  readonly method: string
  /** Path and query as they came. */
  readonly url: string
  readonly body: Uint8Array
  /** Inference-Header-Content-Length as it came: binary tensors follow a document of that length. */
  readonly headerLength?: string | undefined
}

/** What a route is given: the names in its path, and the query. */
export interface Question {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: Uint8Array
  readonly headerLength?: string | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** `:name` stands for one part of the path. */
  readonly path: string
  readonly answer: (question: Question) => Answer | Promise<Answer>
}

export const answerJson = (value: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
})

/** The document in a body; undefined where it is no JSON in UTF-8. */
export const parseJson = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(utf8.decode(body))
  } catch {
    return undefined
  }
}

/** Lines read in one request: as many as columns fit a batch. */
const linesMax = limits.seriesPerBatchMax

/** The documents of NDJSON, undefined for a line that is none; undefined where there is only one line, or too many. */
export const parseJsonLines = (body: Uint8Array): readonly unknown[] | undefined => {
  const lines = new TextDecoder().decode(body).split('\n')
  const written = lines.map((line) => line.trim()).filter((line) => line !== '')
  if (written.length < 2 || written.length > linesMax) return undefined
  return written.map((line) => parseJson(new TextEncoder().encode(line)))
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
