/**
 * Brings one artifact from the control centre's gateway listener over HTTPS: one request for the range that is missing, its
 * body appended as it comes, so that a kill at any byte costs nothing that was written. Both sides show certificates of the
 * site; each record is authenticated by TLS, and the digest of the whole decides elsewhere, as always.
 */

import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import type { PartialFile } from './store.ts'
import type { Transfer, TransferRefusal, Wanted } from './transfer.ts'

/** What this gateway shows, and where. */
export interface GatewayAccess {
  readonly url: string
  readonly ca: string
  readonly cert: string
  readonly key: string
}

interface Parts {
  /** As it is now: certificates are renewed. */
  readonly access: () => GatewayAccess
}

interface Options {
  /** Milliseconds without a byte after which the connection counts as dead. */
  readonly idleMsMax?: number
}

/** Refuses FETCH_FAILED where the listener is not reached, does not answer or ends before the last byte. */
export const createHttpsTransfer = (
  { access }: Parts,
  { idleMsMax = 20_000 }: Options = {},
): Pick<Transfer, 'fetch'> => ({
  fetch: async (wanted, file, signal) => {
    if (file.bytes() > wanted.bytes) await file.empty()
    if (file.bytes() === wanted.bytes) return accept(undefined)
    try {
      const answer = await ask(access(), wanted, file.bytes(), { idleMsMax, signal })
      const judged = judge(answer, wanted, file.bytes())
      if (!judged.ok) {
        answer.destroy()
        return judged
      }
      return await receive(answer, wanted, file)
    } catch (cause) {
      if (cause instanceof Failure && cause.code === 'NO_SPACE') return refuse('NO_SPACE', cause.message)
      if (!(cause instanceof Error) || !('code' in cause)) throw cause
      return refuse('FETCH_FAILED', `the gateway listener: ${cause.message}`)
    }
  },
})

const ask = (
  { url, ...material }: GatewayAccess,
  { sha256 }: Wanted,
  from: number,
  { idleMsMax, signal }: { readonly idleMsMax: number; readonly signal: AbortSignal },
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const request = httpsRequest(new URL(`/artifacts/${sha256}`, url), {
      ...material,
      // One connection for one artifact: none is kept open until the next.
      agent: false,
      minVersion: 'TLSv1.3',
      signal,
      timeout: idleMsMax,
      headers: { range: `bytes=${from}-` },
    })
    request.once('timeout', () => request.destroy(toError(`nothing came for ${idleMsMax} ms`)))
    request.once('error', reject)
    request.once('response', resolve)
    request.end()
  })

const toError = (message: string): Failure => new Failure('FETCH_FAILED', message, { retryable: true })

/** Is this the rest of the artifact that was signed? */
const judge = (
  { statusCode, headers }: IncomingMessage,
  { bytes }: Wanted,
  from: number,
): Result<void, TransferRefusal> => {
  if (statusCode !== 206)
    return refuse('FETCH_FAILED', `the gateway listener answers with status ${statusCode}`)
  const [, start, end, total] =
    /^bytes (\d{1,12})-(\d{1,12})\/(\d{1,12})$/.exec(headers['content-range'] ?? '') ?? []
  if (Number(total) > bytes) return refuse('TOO_LARGE', `${total} bytes are offered, ${bytes} were signed`)
  if (Number(total) < bytes) return refuse('BAD_DIGEST', `${total} bytes are offered, ${bytes} were signed`)
  return Number(start) === from && Number(end) === bytes - 1
    ? accept(undefined)
    : refuse('FETCH_FAILED', `another range is offered: ${headers['content-range']}`)
}

/** Never writes beyond what was signed, whatever comes. */
const receive = async (
  answer: IncomingMessage,
  { bytes }: Wanted,
  file: PartialFile,
): Promise<Result<void, TransferRefusal>> => {
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (file.bytes() + chunk.byteLength > bytes)
      return refuse('TOO_LARGE', `more than the ${bytes} bytes that were signed`)
    await file.append(chunk)
  }
  return file.bytes() === bytes
    ? accept(undefined)
    : refuse('FETCH_FAILED', `it ended after ${file.bytes()} of ${bytes} bytes`)
}
