/**
 * The binary tensor data extension of the Open Inference Protocol: a body is a JSON document, as long as the header
 * Inference-Header-Content-Length says, and behind it the numbers of its tensors as they lie in memory, little-endian,
 * in the order of the tensors. Reading 24 numbers this way costs a tenth of reading them as text.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { parseJson } from './exchange.ts'

export interface SplitBody {
  readonly document: unknown
  /** What lies behind the document; nothing where no header said that there is something. */
  readonly binary: Uint8Array
}

const nothing = new Uint8Array(0)

/** `headerLength`: Inference-Header-Content-Length as it came. */
export const splitBody = (
  body: Uint8Array,
  headerLength: string | undefined,
): Result<SplitBody, 'MALFORMED'> => {
  if (headerLength === undefined) return accept({ document: parseJson(body), binary: nothing })
  const length = /^\d{1,10}$/.test(headerLength) ? Number(headerLength) : Number.NaN
  if (!(length <= body.length)) {
    return refuse('MALFORMED', 'Inference-Header-Content-Length is no length within the body')
  }
  return accept({ document: parseJson(body.subarray(0, length)), binary: body.subarray(length) })
}

/** The numbers in these bytes; undefined where there are more, fewer, or some that are not finite. */
export const parseBinaryRows = (binary: Uint8Array, values: number): Float32Array | undefined => {
  if (binary.length !== values * Float32Array.BYTES_PER_ELEMENT) return undefined
  // A copy, which is aligned. By the constructor: what comes from a socket is a Buffer, whose `slice` copies nothing.
  const numbers = new Float32Array(new Uint8Array(binary).buffer)
  return numbers.every(Number.isFinite) ? numbers : undefined
}

/** A document and its binary tensors as one body. */
export const joinBody = (
  document: unknown,
  tensors: readonly Float32Array[],
): { readonly body: Uint8Array; readonly headerLength: number } => {
  const header = new TextEncoder().encode(JSON.stringify(document))
  const body = new Uint8Array(tensors.reduce((sum, { byteLength }) => sum + byteLength, header.length))
  body.set(header)
  let at = header.length
  for (const { buffer, byteOffset, byteLength } of tensors) {
    body.set(new Uint8Array(buffer, byteOffset, byteLength), at)
    at += byteLength
  }
  return { body, headerLength: header.length }
}
