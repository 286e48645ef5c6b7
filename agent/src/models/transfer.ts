/**
 * Brings one artifact over the link, piece by piece: a few requests in flight, pieces appended in order, each piece
 * checked for line noise and asked for again. Trust does not come from here; the digest of the whole decides elsewhere.
 */

import { limits } from '@imlma/protocol/limits'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import { chunkSchema, encodeJson, parseCborMessage, protocolVersion, type Chunk } from '@imlma/protocol/wire'
import type { Link } from '../link/link.ts'
import type { PartialFile } from './store.ts'

export interface TransferParts {
  readonly link: Pick<Link, 'publish' | 'on'>
  readonly crc32: (bytes: Uint8Array) => number
  /** Unique among this agent's requests, also after a restart: late pieces of an older one must not match. */
  readonly requestId: () => string
  /** Resolves after `ms`, or when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  /** 0 ≤ x < 1, for jitter. */
  readonly random: () => number
}

export interface TransferOptions {
  readonly chunkBytes?: number
  /** Requests in flight: hides the round trip without taking the link from the readings. */
  readonly window?: number
  readonly requestTimeoutMs?: number
  /** Requests for one piece before the whole round has failed. */
  readonly triesMax?: number
  readonly retryDelayMs?: number
  readonly retryDelayMsMax?: number
}

export type TransferRefusal = 'FETCH_FAILED' | 'BAD_DIGEST' | 'NO_SPACE' | 'TOO_LARGE'

export interface Wanted {
  readonly sha256: string
  /** Size that was signed. */
  readonly bytes: number
}

export interface Transfer {
  /** Appends to `file` what it lacks. Refuses FETCH_FAILED when a piece did not come or the signal aborted. */
  readonly fetch: (
    wanted: Wanted,
    file: PartialFile,
    signal: AbortSignal,
  ) => Promise<Result<void, TransferRefusal>>
  readonly close: () => void
}

type Piece = Result<Uint8Array, TransferRefusal>

export const createTransfer = (parts: TransferParts, options: TransferOptions = {}): Transfer => {
  const { link, crc32, requestId, wait, random } = parts
  const {
    chunkBytes = limits.chunkBytesMax / 2,
    window = 4,
    requestTimeoutMs = 10_000,
    triesMax = 5,
  } = options
  const { retryDelayMs = 250, retryDelayMsMax = 8_000 } = options
  const expected = new Map<string, (chunk: Result<Chunk>) => void>()

  const stopListening = link.on('chunk', ({ id, payload }) => {
    expected.get(id ?? '')?.(parseCborMessage(chunkSchema, payload, limits.packetBytesMax))
  })

  /** One request and its answer; undefined when nothing came in time. */
  const ask = async (wanted: Wanted, offset: number, length: number, signal: AbortSignal) => {
    const id = requestId()
    const timeout = new AbortController()
    const end = AbortSignal.any([signal, timeout.signal])
    try {
      const answer = new Promise<Result<Chunk>>((resolve) => expected.set(id, resolve))
      const request = { v: protocolVersion, requestId: id, sha256: wanted.sha256, offset, length }
      await link.publish('fetch', encodeJson(request))
      return await Promise.race([answer, wait(requestTimeoutMs, end).then(() => undefined)])
    } catch (cause) {
      if (cause instanceof Failure && cause.retryable) return undefined
      throw cause
    } finally {
      expected.delete(id)
      timeout.abort()
    }
  }

  const pieceAt = async (wanted: Wanted, offset: number, signal: AbortSignal): Promise<Piece> => {
    const length = Math.min(chunkBytes, wanted.bytes - offset)
    let refusal: Piece = refuse('FETCH_FAILED', `no answer for the bytes from ${offset} on`)
    for (let tries = 0; tries < triesMax; tries += 1) {
      if (tries > 0) {
        const delayMs = Math.min(retryDelayMs * 2 ** (tries - 1), retryDelayMsMax)
        await wait(delayMs * (0.5 + random() / 2), signal)
      }
      if (signal.aborted) return refuse('FETCH_FAILED', 'stopped')
      const chunk = await ask(wanted, offset, length, signal)
      if (chunk === undefined) continue
      const judged = judge(chunk, wanted, offset, length, crc32)
      if (judged.ok || judged.refusal.code !== 'FETCH_FAILED') return judged
      refusal = judged
    }
    return refusal
  }

  return {
    fetch: async (wanted, file, signal) => {
      if (file.bytes() > wanted.bytes) await file.empty()
      const stop = new AbortController()
      const either = AbortSignal.any([signal, stop.signal])
      const ahead: Promise<Piece>[] = []
      let asked = file.bytes()
      try {
        while (file.bytes() < wanted.bytes) {
          while (ahead.length < window && asked < wanted.bytes) {
            ahead.push(pieceAt(wanted, asked, either))
            asked += chunkBytes
          }
          const piece = await (ahead.shift() as Promise<Piece>)
          if (!piece.ok) return piece
          await file.append(piece.value)
        }
        return accept(undefined)
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause
        return refuse(cause.code === 'NO_SPACE' ? 'NO_SPACE' : 'FETCH_FAILED', cause.message)
      } finally {
        stop.abort()
        await Promise.allSettled(ahead)
      }
    },
    close: stopListening,
  }
}

/** Is this the piece that was asked for? FETCH_FAILED may be asked again, anything else is final. */
const judge = (
  chunk: Result<Chunk>,
  wanted: Wanted,
  offset: number,
  length: number,
  crc32: (bytes: Uint8Array) => number,
): Piece => {
  if (!chunk.ok) return refuse('FETCH_FAILED', `the answer was not understood: ${chunk.refusal.message}`)
  const { sha256, total, bytes } = chunk.value
  if (sha256 !== wanted.sha256) return refuse('FETCH_FAILED', 'the answer is about another artifact')
  if (total === 0) return refuse('FETCH_FAILED', 'the control centre does not have the artifact')
  if (total > wanted.bytes)
    return refuse('TOO_LARGE', `${total} bytes are offered, ${wanted.bytes} were signed`)
  if (total < wanted.bytes)
    return refuse('BAD_DIGEST', `${total} bytes are offered, ${wanted.bytes} were signed`)
  if (chunk.value.offset !== offset || bytes.byteLength !== length) {
    return refuse(
      'FETCH_FAILED',
      `${bytes.byteLength} bytes from ${chunk.value.offset} on, asked were ${length} from ${offset} on`,
    )
  }
  if (crc32(bytes) !== chunk.value.crc32) return refuse('FETCH_FAILED', 'the piece was damaged on the way')
  return accept(bytes)
}
