/**
 * Signing: an envelope around a document. What is here needs nothing but the language, so that a browser, too, signs with
 * these very lines. Source: Dead Simple Signing Envelope 1.0, "Protocol".
 */

import { fromBase64, toBase64 } from './base64.ts'
import type { Envelope } from './envelope.ts'

export { fromBase64 }
export type { Envelope }

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
