/** The version every message carries, and the ladder every JSON message climbs: size, syntax, version, schema. */

import { z } from 'zod'
import { accept, refuse, type Result } from '../result.ts'
import { protocolVersion } from './version.ts'

export { protocolVersion }

export type MessageRefusal = 'TOO_LARGE' | 'MALFORMED' | 'UNSUPPORTED_VERSION'

export const headerSchema = z.object({ v: z.literal(protocolVersion) })

/** UTC epoch milliseconds, as far as a JavaScript date reaches. */
export const epochMsSchema = z.number().int().min(0).max(8.64e15)

export const nameSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/)

/**
 * A JSON message, or why it was refused. Unknown fields are dropped, an unknown `v` has its own code
 * (protocol.md: "Field lists may grow; an unknown field is ignored").
 */
export const parseJsonMessage = <Message>(
  schema: z.ZodType<Message>,
  bytes: Uint8Array,
  bytesMax: number,
): Result<Message, MessageRefusal> => {
  if (bytes.byteLength > bytesMax) {
    return refuse('TOO_LARGE', `${bytes.byteLength} bytes, at most ${bytesMax} are read`)
  }
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return refuse('MALFORMED', 'not a JSON document in UTF-8')
  }
  return parseMessage(schema, document)
}

/** The same ladder for a document that was decoded already (CBOR). */
export const parseMessage = <Message>(
  schema: z.ZodType<Message>,
  document: unknown,
): Result<Message, MessageRefusal> => {
  if (isOtherVersion(document)) {
    return refuse('UNSUPPORTED_VERSION', `v is ${String(document.v)}, this side speaks ${protocolVersion}`)
  }
  const parsed = schema.safeParse(document)
  if (parsed.success) return accept(parsed.data)
  return refuse('MALFORMED', describe(parsed.error))
}

export const encodeJson = (message: unknown): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(JSON.stringify(message))

const isOtherVersion = (document: unknown): document is { v: number } =>
  typeof document === 'object' &&
  document !== null &&
  'v' in document &&
  typeof document.v === 'number' &&
  document.v !== protocolVersion

const describe = (error: z.ZodError): string =>
  error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'document'}: ${message}`)
    .join('; ')
