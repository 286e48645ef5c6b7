/**
 * Reading batches that their agent has signed. The CBOR map of a batch gets one more entry, its last, whose form is fixed
 * to the byte (RFC 8949, "Preferred Serialization"), so that the packet's last 64 bytes are the signature:
 *
 *   … "series": […], "signature": {"keyid": hexadecimal, "sig": ▓▓ 64 bytes ▓▓}
 *
 * Signed are a prefix that names the agent, and all bytes of the packet before the signature. Who does not know
 * signatures reads the batch as before.
 */

import { limits } from '../limits.ts'
import { accept, refuse, type Result } from '../result.ts'
import type { ReadingBatch } from '../wire/readings.ts'
import type { Address } from '../wire/topics.ts'
import type { Signer } from './seal.ts'

const signatureBytes = 64
const keyidLength = 64

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

/** text(9) "signature", map(2), text(5) "keyid", text(64) */
const beforeKeyid = Uint8Array.of(0x69, ...ascii('signature'), 0xa2, 0x65, ...ascii('keyid'), 0x78, 0x40)
/** text(3) "sig", bytes(64) */
const afterKeyid = Uint8Array.of(0x63, ...ascii('sig'), 0x58, 0x40)

/** What a signature adds to a packet. */
export const batchSignatureBytes = beforeKeyid.length + keyidLength + afterKeyid.length + signatureBytes

export interface BatchSignature {
  readonly keyid: string
  readonly sig: Uint8Array
}

/** True when `signature` over `bytes` is by the key that was asked for. */
export type VerifyBytes = (bytes: Uint8Array, signature: Uint8Array) => boolean

/**
 * The signed packet. `front` is the batch in CBOR, its map announcing one entry more than it has: the signature goes
 * behind it.
 */
export const signBatch = (
  address: Address,
  front: Uint8Array,
  { keyid, sign }: Signer,
): Uint8Array<ArrayBuffer> => {
  const packet = new Uint8Array(front.length + batchSignatureBytes)
  packet.set(front)
  packet.set(beforeKeyid, front.length)
  packet.set(ascii(keyid), front.length + beforeKeyid.length)
  packet.set(afterKeyid, packet.length - signatureBytes - afterKeyid.length)
  packet.set(sign(toSignedBytes(address, packet)), packet.length - signatureBytes)
  return packet
}

/** What the signature claims, read off the packet's end; undefined for a packet without one. Nothing is verified. */
export const claimedSignature = (packet: Uint8Array): BatchSignature | undefined => {
  const start = packet.length - batchSignatureBytes
  if (start < 1 || !holdsAt(packet, start, beforeKeyid)) return undefined
  const keyidAt = start + beforeKeyid.length
  if (!holdsAt(packet, keyidAt + keyidLength, afterKeyid)) return undefined
  const keyid = String.fromCharCode(...packet.subarray(keyidAt, keyidAt + keyidLength))
  if (!/^[0-9a-f]{64}$/.test(keyid)) return undefined
  return { keyid, sig: packet.subarray(-signatureBytes) }
}

/** The bytes that are signed: `IMLMA batch v1 {site}/{agent} `, then the packet without its last 64 bytes. */
export const toSignedBytes = ({ site, agent }: Address, packet: Uint8Array): Uint8Array => {
  const prefix = ascii(`IMLMA batch v1 ${site}/${agent} `)
  const bytes = new Uint8Array(prefix.length + packet.length - signatureBytes)
  bytes.set(prefix)
  bytes.set(packet.subarray(0, -signatureBytes), prefix.length)
  return bytes
}

/**
 * May these bytes be believed to be this agent's? Nothing in the batch is looked at before. TOO_LARGE comes first,
 * NOT_SIGNED where the fixed entry is not at the end; `verify` is asked for the claimed key.
 */
export const verifyBatch = (
  address: Address,
  packet: Uint8Array,
  verify: VerifyBytes,
): Result<BatchSignature, 'TOO_LARGE' | 'NOT_SIGNED' | 'BAD_SIGNATURE'> => {
  if (packet.length > limits.packetBytesMax) {
    return refuse('TOO_LARGE', `${packet.length} bytes, at most ${limits.packetBytesMax} are read`)
  }
  const claimed = claimedSignature(packet)
  if (claimed === undefined) return refuse('NOT_SIGNED', 'the batch does not end with a signature')
  if (verify(toSignedBytes(address, packet), claimed.sig)) return accept(claimed)
  return refuse('BAD_SIGNATURE', `not signed by key ${claimed.keyid} for ${address.site}/${address.agent}`)
}

/**
 * True when the batch that was read from a verified packet carries the very signature that was verified. Otherwise the
 * bytes mean something else to a reader of CBOR than to the one who looks at their end: the batch is not to be believed.
 */
export const bearsSignature = ({ signature }: ReadingBatch, { keyid, sig }: BatchSignature): boolean =>
  signature?.keyid === keyid && signature.sig.length === sig.length && holdsAt(signature.sig, 0, sig)

const holdsAt = (bytes: Uint8Array, at: number, part: Uint8Array): boolean =>
  part.every((byte, i) => bytes[at + i] === byte)
