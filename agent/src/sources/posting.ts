/** Readings from whoever is on this machine: when the call returns they are on disk. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { ReadingSeries } from '@imlma/protocol/wire'
import { countReadings } from '../outbox/batches.ts'
import { createRejects, type Reject } from './intake/rejects.ts'
import { parsePosted, type PostedDefaults, type PostedRefusal } from './posted-readings.ts'
import type { PostedSource } from './posted-source.ts'
import { simulatedDefaults } from './simulated.ts'
import type { ReadingSink } from './source.ts'

export interface PostOptions {
  /** The readings are older than live ones. */
  readonly historical: boolean
  /** The document is an array of documents that came one a line: each is judged alone. */
  readonly isLines?: boolean
  /** A configured source that maps the documents; without one they are readings of intervals as they are stored. */
  readonly source?: string | undefined
}

export interface Posted {
  /** Readings that are on disk; values taken, where a source makes readings of them. */
  readonly stored: number
  /** Documents that were left out, and why the first of them was. */
  readonly refused?: number
  readonly reason?: string
}

export interface Posting {
  /** Throws what the sink throws, NO_SPACE and STORE_FAILED. */
  readonly post: (document: unknown, options: PostOptions) => Result<Posted, PostedRefusal | 'NO_SUCH_SOURCE'>
  readonly figures: () => {
    readonly readings: number
    readonly malformed: number
    readonly rejects: readonly Reject[]
  }
}

interface Parts {
  readonly sink: Pick<ReadingSink, 'append'>
  readonly now: () => number
  readonly sources?: () => readonly PostedSource[]
}

export const createPosting = (
  { sink, now, sources = () => [] }: Parts,
  defaults: PostedDefaults = simulatedDefaults,
): Posting => {
  const rejects = createRejects()
  let readings = 0

  const reject = (code: string, message: string, document: unknown): void =>
    rejects.add(code, message, JSON.stringify(document) ?? 'no JSON', now())

  const store = (series: readonly ReadingSeries[], historical: boolean): number => {
    sink.append(series, { historical })
    const stored = countReadings(series)
    readings += stored
    return stored
  }

  const postLines = (lines: readonly unknown[], historical: boolean): Result<Posted, PostedRefusal> => {
    const series: ReadingSeries[] = []
    let refused = 0
    let reason: string | undefined
    let code: PostedRefusal = 'MALFORMED'
    for (const line of lines) {
      const posted = parsePosted(line, defaults)
      if (posted.ok) {
        series.push(...posted.value)
        continue
      }
      reject(posted.refusal.code, posted.refusal.message, line)
      refused += 1
      if (reason === undefined) ({ code, message: reason } = posted.refusal)
    }
    if (series.length === 0) return refuse(code, reason ?? 'no readings', 'one JSON document a line')
    const stored = store(series, historical)
    return accept(reason === undefined ? { stored } : { stored, refused, reason })
  }

  const postTo = (name: string, document: unknown): Result<Posted, 'NO_SUCH_SOURCE' | 'MALFORMED'> => {
    const source = sources().find((each) => each.name === name)
    if (source === undefined) {
      return refuse('NO_SUCH_SOURCE', `no source ${name}`, 'configure one of kind http with this name')
    }
    const { taken, refused } = source.post(document, now())
    if (taken === 0 && refused > 0)
      return refuse('MALFORMED', 'nothing in it could be read', 'GET /status shows why')
    return accept(refused === 0 ? { stored: taken } : { stored: taken, refused })
  }

  return {
    post: (document, { historical, isLines = false, source }) => {
      if (source !== undefined) return postTo(source, document)
      if (isLines && Array.isArray(document)) return postLines(document, historical)
      const posted = parsePosted(document, defaults)
      if (posted.ok) return accept({ stored: store(posted.value, historical) })
      reject(posted.refusal.code, posted.refusal.message, document)
      return posted
    },
    figures: () => ({ readings, malformed: rejects.total(), rejects: rejects.list() }),
  }
}
