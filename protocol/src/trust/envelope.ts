/**
 * DSSE 1.0 envelopes: what is signed is the payload type and the payload's bytes, never a re-encoding.
 * Source: Dead Simple Signing Envelope 1.0, "Protocol" and "Envelope".
 */

import { z } from 'zod'
import { limits } from '../limits.ts'
import { accept, refuse, type Result } from '../result.ts'
import { base64Schema } from './base64-schema.ts'

export const envelopeSchema = z.object({
  payloadType: z.string().min(1).max(128),
  /** Base64 of the payload's bytes. */
  payload: base64Schema(limits.envelopeBytesMax),
  signatures: z
    .array(z.object({ keyid: z.string().max(128), sig: base64Schema(8_192) }))
    .min(1)
    .max(limits.signaturesMax),
})
export type Envelope = z.infer<typeof envelopeSchema>

/** An envelope out of bytes: size, syntax, schema. Nothing in it is trusted yet. */
export const parseEnvelope = (bytes: Uint8Array): Result<Envelope, 'TOO_LARGE' | 'MALFORMED'> => {
  if (bytes.byteLength > limits.envelopeBytesMax) {
    return refuse('TOO_LARGE', `${bytes.byteLength} bytes, at most ${limits.envelopeBytesMax} are read`)
  }
  try {
    const parsed = envelopeSchema.safeParse(
      JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)),
    )
    if (parsed.success) return accept(parsed.data)
  } catch {
    // Falls through: neither UTF-8 nor JSON is the same refusal as a wrong shape.
  }
  return refuse('MALFORMED', 'not a DSSE envelope')
}
