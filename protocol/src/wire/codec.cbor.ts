/**
 * CBOR for what is made of numbers: typed arrays travel as RFC 8746 tags, everything else as plain maps.
 * Bytes from outside climb the same ladder as JSON does: size, syntax, version, schema.
 */

import { Encoder } from 'cbor-x'
import type { z } from 'zod'
import { accept, refuse, type Result } from '../result.ts'
import { parseMessage, type MessageRefusal } from './header.ts'

// Records and structure sharing are extensions of cbor-x that no other CBOR reader knows.
const codec = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false })

/** The message as CBOR, in a buffer of its own. */
export const encodeCbor = (message: unknown): Uint8Array<ArrayBuffer> => new Uint8Array(codec.encode(message))

/** A CBOR message, or why it was refused. Typed arrays are copied out of `bytes`. */
export const parseCborMessage = <Message>(
  schema: z.ZodType<Message>,
  bytes: Uint8Array,
  bytesMax: number,
): Result<Message, MessageRefusal> => {
  const document = decodeCbor(bytes, bytesMax)
  return document.ok ? parseMessage(schema, document.value) : document
}

/** A CBOR document of whatever form: what is not one of our messages. */
export const decodeCbor = (
  bytes: Uint8Array,
  bytesMax: number,
): Result<unknown, 'TOO_LARGE' | 'MALFORMED'> => {
  if (bytes.byteLength > bytesMax) {
    return refuse('TOO_LARGE', `${bytes.byteLength} bytes, at most ${bytesMax} are read`)
  }
  try {
    return accept(codec.decode(bytes) as unknown)
  } catch {
    return refuse('MALFORMED', 'not a CBOR document')
  }
}
