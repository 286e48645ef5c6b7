/**
 * DSSE 1.0 envelopes: what is signed is the payload type and the payload's bytes, never a re-encoding.
 * Source: Dead Simple Signing Envelope 1.0, "Protocol" and "Envelope".
 */

import { z } from 'zod'
import { limits } from '../limits.ts'
import { accept, refuse, type Result } from '../result.ts'
import { base64Schema, fromBase64, toBase64 } from './base64.ts'

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

/** Pre-authentication encoding: the bytes a signature is made over. */
export const preAuthenticationEncoding = (
  payloadType: string,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> => {
  const type = new TextEncoder().encode(payloadType)
  const head = new TextEncoder().encode(`DSSEv1 ${type.byteLength} ${payloadType} ${payload.byteLength} `)
  const bytes = new Uint8Array(head.byteLength + payload.byteLength)
  bytes.set(head)
  bytes.set(payload, head.byteLength)
  return bytes
}

/** One key that signs; `sign` returns the raw signature over `bytes`. */
export interface Signer {
  readonly keyid: string
  readonly sign: (bytes: Uint8Array) => Uint8Array
  /** The holder's key of another scheme: whatever is sealed carries its signature as well. */
  readonly companion?: Signer
}

/** The document's JSON bytes in an envelope signed by every signer. */
export const sealEnvelope = (
  payloadType: string,
  document: unknown,
  signers: readonly Signer[],
): Envelope => {
  const payload = new TextEncoder().encode(JSON.stringify(document))
  return { payloadType, payload: toBase64(payload), signatures: signaturesOf(payloadType, payload, signers) }
}

/** The same envelope with further signatures beside those it has; a key that signs again replaces its own. */
export const cosignEnvelope = (envelope: Envelope, signers: readonly Signer[]): Envelope => {
  const added = signaturesOf(envelope.payloadType, fromBase64(envelope.payload), signers)
  const kept = envelope.signatures.filter(({ keyid }) => !added.some((each) => each.keyid === keyid))
  return { ...envelope, signatures: [...kept, ...added] }
}

const signaturesOf = (
  payloadType: string,
  payload: Uint8Array,
  signers: readonly Signer[],
): Envelope['signatures'] => {
  const bytes = preAuthenticationEncoding(payloadType, payload)
  return signers
    .flatMap((signer) => (signer.companion === undefined ? [signer] : [signer, signer.companion]))
    .map(({ keyid, sign }) => ({ keyid, sig: toBase64(sign(bytes)) }))
}

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
